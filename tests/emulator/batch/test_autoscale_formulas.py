"""The autoscale language, against metrics that the test makes up."""

from __future__ import annotations

import pytest

from batchimg_magics.emulator.batch.autoscale import formulas

NOW = 1_782_896_400.0  # Wednesday, 2026-07-01T09:00:00Z


class Made:
    """Metrics with a history of numbers, 30 s apart, the last one now."""

    def __init__(self, history: list[float] | None = None, due: int = 10) -> None:
        self.history = history if history is not None else [1.0, 2.0, 3.0, 4.0]
        self.due = due

    def now(self) -> float:
        return NOW

    def begin(self) -> float:
        return NOW - 30.0 * len(self.history)

    def value(self, name: str) -> float:
        return {"$CurrentDedicatedNodes": 7.0, "$TaskSlotsPerNode": 4.0}.get(name, self.history[-1])

    def samples(self, _: str, begin: float, end: float) -> tuple[list[float], int]:
        count = round((end - begin) / 30.0)
        return self.history[-count:], count

    def last(self, _: str, count: int) -> list[float]:
        return self.history[-count:]


def run(formula: str, history: list[float] | None = None) -> formulas.Evaluation:
    return formulas.evaluate(formula, Made(history), 5, 2)


def value(expression: str) -> str:
    results = run(f"x = {expression};").results
    return results.rpartition(";x=")[2]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("8 / 4 / 2", "1"),
        ("-2 - -3", "1"),
        ("!0 && 1 || 0", "1"),
        ("1 < 2 == 1", "1"),
        ("3 >= 3 ? 10 : 20", "10"),
        ("0 ? 1 : 0 ? 2 : 3", "3"),
        ("1.5e1", "15"),
        (".5 + 1.", "1.5"),
        ('"a" == "a"', "1"),
        ("min(3, 1, 2)", "1"),
        ("max($PendingTasks.GetSample(3))", "4"),
        ("avg($PendingTasks.GetSample(4))", "2.5"),
        ("sum($PendingTasks.GetSample(2), 10)", "17"),
        ("len($PendingTasks.GetSample(3))", "3"),
        ("round(2.5)", "3"),
        ("ceil(2.1) + floor(2.9)", "5"),
        ("percentile($PendingTasks.GetSample(4), 50)", "2.5"),
        ("std(2, 4)", "1"),
        ("norm(3, 4)", "5"),
        ("range(3, 9, 5)", "6"),
        ("lg(8) + log(1000) + ln(1)", "6"),
        ("val($PendingTasks.GetSample(4), 1)", "2"),
        ("$PendingTasks.GetSample(2) * 2", "[6,8]"),
        ("$PendingTasks.GetSample(2) + $PendingTasks.GetSample(2)", "[6,8]"),
        ("$CurrentDedicatedNodes * $TaskSlotsPerNode", "28"),
        ("time().weekday", "3"),
        ("time().hour", "9"),
        ("time() - TimeInterval_Hour", "2026-07-01T08:00:00Z"),
        ('time("2026-07-01T10:00:00Z") > time()', "1"),
        ("(time() - (time() - TimeInterval_Minute * 5)) / 60", "5s"),
        ("2 * TimeInterval_Day > TimeInterval_Week", "0"),
        ("$PendingTasks.GetSamplePercent(TimeInterval_Minute * 5)", "40"),
        ("$PendingTasks.GetSamplePeriod()", "30s"),
        ("avg($PendingTasks.GetSample(TimeInterval_Minute))", "3.5"),
        ("len($PendingTasks.GetSample(TimeInterval_Minute * 2, TimeInterval_Minute * 0, 10))", "4"),
    ],
)
def test_expressions(expression: str, expected: str) -> None:
    assert value(expression) == expected


def test_results_show_the_targets_first_and_then_the_variables_by_name() -> None:
    found = run("$b = 2; a = 1; $TargetDedicatedNodes = $b; $NodeDeallocationOption = taskcompletion;")
    assert (found.dedicated, found.spot, found.option) == (2, 2, "taskcompletion")
    assert found.results == (
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=2;$NodeDeallocationOption=taskcompletion;$b=2;a=1"
    )


def test_targets_are_whole_and_never_below_zero() -> None:
    found = run("$TargetDedicatedNodes = 2.9; $TargetSpotNodes = -4;")
    assert (found.dedicated, found.spot) == (2, 0)


def test_the_branch_that_is_not_taken_is_not_run() -> None:
    guarded = "$s = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 50); $TargetDedicatedNodes = "
    guarded += "$s < 70 ? 1 : avg($PendingTasks.GetSample(TimeInterval_Minute * 50, 70));"
    assert run(guarded).dedicated == 1


def test_stop_ends_it_and_keeps_what_was_set() -> None:
    assert run("$TargetDedicatedNodes = 9; stop(); $TargetDedicatedNodes = 1;").dedicated == 9


def test_comments_are_no_part_of_it() -> None:
    assert run("// one\n$TargetDedicatedNodes = 3; /* two\nlines */ $TargetLowPriorityNodes = 1;").dedicated == 3


@pytest.mark.parametrize(
    ("formula", "said"),
    [
        ("$something_useless", "Line 1, Col 1: Undefined symbol: $something_useless"),
        ("a = 1;\nb = nothing;", "Line 2, Col 5: Undefined symbol: nothing"),
        ("a = frobnicate(1);", "Line 1, Col 5: Undefined function: frobnicate"),
        ("a = $PendingTasks.GetAll(1);", "Line 1, Col 19: Undefined method: GetAll"),
        ("a = 1 +;", "Line 1, Col 8: Syntax error: unexpected ;"),
        ("$TargetDedicatedNodes.", "Line 1, Col 23: Syntax error: unexpected end of formula"),
        ("a = b .", "Line 1, Col 8: Syntax error: unexpected end of formula"),
        ("a = $ActiveTasks .", "Line 1, Col 19: Syntax error: unexpected end of formula"),
        ("a = 1 b = 2", "Line 1, Col 7: Syntax error: expected ;, found b"),
        ("a = 1 # 2", "Line 1, Col 7: Unexpected character: #"),
        ("$CurrentDedicatedNodes = 1;", "Line 1, Col 1: Read-only variable cannot be assigned: $CurrentDedicatedNodes"),
        ('a = 1 + "x";', "Line 1, Col 7: Operator + cannot take float and str"),
        ("a = time() + time();", "Line 1, Col 12: Operator + cannot take Moment and Moment"),
        ("a = 1 / 0;", "Line 1, Col 7: Evaluation error: float division by zero"),
        ("a = avg();", "Line 1, Col 5: The function needs at least one number"),
        ("a = val($PendingTasks.GetSample(2), 5);", "Line 1, Col 5: Index out of range: 5"),
        ('a = time("soon");', "Line 1, Col 5: Invalid time: soon"),
        ("$TargetDedicatedNodes = 1e400;", "Target out of range: inf"),
        ("$TargetDedicatedNodes = 1e400 - 1e400;", "Target out of range: nan"),
        ("$TargetLowPriorityNodes = 1e10;", "Target out of range: 10000000000"),
        ('$TargetDedicatedNodes = "two"; stop();', "Type mismatch: float expected, str found"),
        (
            "a = $PendingTasks.GetSample(TimeInterval_Minute * 5, 70);",
            "Line 1, Col 19: Insufficient data from data set: $PendingTasks wanted 70%, received 40%",
        ),
    ],
)
def test_an_invalid_formula_changes_nothing_and_the_error_has_its_place(formula: str, said: str) -> None:
    found = run(formula)
    assert found.error == said
    assert (found.dedicated, found.spot) == (5, 2)
    assert found.results == "$TargetDedicatedNodes=5;$TargetLowPriorityNodes=2;$NodeDeallocationOption=requeue"


def test_reading_finds_what_is_wrong_without_running() -> None:
    assert formulas.check("a = (1;") == "Line 1, Col 7: Syntax error: expected ), found ;"
    assert formulas.check("a = unknown_until_it_runs;") == ""
