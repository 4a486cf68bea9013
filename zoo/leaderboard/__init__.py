"""The leaderboard, from files to files: entries, peers and verifications become tables,
charts and pages that open from disk."""


def __getattr__(name: str):
    if name == "build":
        from zoo.leaderboard.site import build

        return build
    raise AttributeError(f"module 'zoo.leaderboard' has no attribute {name!r}; it has build")
