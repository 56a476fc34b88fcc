"""How fast it is, side by side with others: ``make bench``.

Each module has works of one kind: functions that yield rows. `BENCHES` in ``__main__`` lists them.
"""
