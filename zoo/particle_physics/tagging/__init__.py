"""`jet_tagging`, `top_tagging`, `quark_gluon` and the field's public sets: which particle
made this jet?"""
