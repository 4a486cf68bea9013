"""What a domain must answer: tasks, explanations, findings of an audit, figures. No domain
is imported here."""
