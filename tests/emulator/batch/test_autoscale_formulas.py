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
        ("std(2, 4, 4, 4, 5, 5, 7, 9)", "2.13809"),  # of a sample: the divisor is n - 1
        ("std(vec(2, 4)) * std(2, 4)", "2"),
        ("sum() + len()", "0"),
        ("lg(vec(8))", "[3]"),
        ("ln(1, 1)", "[0,0]"),
        ("log(10, vec(100, 1000))", "[1,2,3]"),
        ("ceil(vec(1.2, 2.5)) - floor(vec(1.2, 2.5))", "[1,1]"),
        ("vec(6, 8) / vec(2, 4)", "[3,2]"),
        ("vec(6, 8) - 1", "[5,7]"),
        ("percentile(vec(1, 2, 3, 4), 100)", "4"),
        ("rand() >= 0 && rand() < 1", "1"),
        ('"a" < "b"', "1"),
        ('"a" != "b" && "b" >= "a"', "1"),
        ("norm(3, 4)", "5"),
        ("range(3, 9, 5)", "6"),
        ("lg(8) + log(1000) + ln(1)", "6"),
        ("val($PendingTasks.GetSample(4), 1)", "2"),
        ("$PendingTasks.GetSample(2) * 2", "[6,8]"),
        ("$PendingTasks.GetSample(2) + $PendingTasks.GetSample(2)", "[6,8]"),
        ("$CurrentDedicatedNodes * $TaskSlotsPerNode", "28"),
        ("time().weekday", "3"),
        ("time().hour", "9"),
        ("time() + -TimeInterval_Hour", "2026-07-01T08:00:00.000Z"),
        ("TimeInterval_Week + time()", "2026-07-08T09:00:00.000Z"),
        ('time("2026-07-01T10:00:00Z") > time()', "1"),
        ('time("") == time()', "1"),
        ("(time() - (time() + -5 * TimeInterval_Minute)) / 60", "5s"),
        ("TimeInterval_Minute - TimeInterval_Second == 59 * TimeInterval_Second", "1"),
        ("TimeInterval_Zero < TimeInterval_100ns && TimeInterval_100ns * 10 <= TimeInterval_Microsecond", "1"),
        ("TimeInterval_Millisecond / 1000 <= TimeInterval_Microsecond + TimeInterval_100ns", "1"),
        ("TimeInterval_Year / 365 == TimeInterval_Day", "1"),
        ("time().year * 10000 + time().month * 100 + time().day", "20260701"),
        ("time().minute + time().second", "0"),
        ("$CurrentDedicated - $CurrentDedicatedNodes", "0"),
        ("$TargetDedicated + $TargetLowPriority", "7"),
        ("$NetworkInBytes", "4"),
        ("2 * TimeInterval_Day > TimeInterval_Week", "0"),
        ("$PendingTasks.GetSamplePercent(TimeInterval_Minute * 5)", "40"),
        ("$PendingTasks.GetSamplePeriod()", "30s"),
        ("avg($PendingTasks.GetSample(TimeInterval_Minute))", "3.5"),
        ("len($PendingTasks.GetSample(TimeInterval_Minute * 2, TimeInterval_Minute * 0, 10))", "4"),
        ("len($PendingTasks.GetSample(time() + -1 * TimeInterval_Minute))", "2"),
        ("$PendingTasks.GetSamplePercent(TimeInterval_Minute, time())", "100"),
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
    found = run("$TargetDedicatedNodes = 2.9; $TargetLowPriorityNodes = -4;")
    assert (found.dedicated, found.spot) == (2, 0)


def test_the_branch_that_is_not_taken_is_not_run() -> None:
    guarded = "$s = $PendingTasks.GetSamplePercent(TimeInterval_Minute * 50); $TargetDedicatedNodes = "
    guarded += "$s < 70 ? 1 : avg($PendingTasks.GetSample(TimeInterval_Minute * 50, 70));"
    assert run(guarded).dedicated == 1


def test_infinite_numbers_are_numbers() -> None:
    assert value("std(1e400, 1) > 0 || 1") == "1"


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
        ('a = 1 + "x";', "Line 1, Col 7: Operator + cannot take double and string"),
        ("a = time() + time();", "Line 1, Col 12: Operator + cannot take timestamp and timestamp"),
        ("a = 1 / 0;", "Line 1, Col 7: Division by zero"),
        ("a = avg();", "Line 1, Col 5: The function needs at least one number"),
        ("a = val($PendingTasks.GetSample(2), 5);", "Line 1, Col 5: Index out of range: 5"),
        ('a = time("soon");', "Line 1, Col 5: Invalid time: soon"),
        ("$TargetDedicatedNodes = 1e400;", "Target out of range: inf"),
        ("$TargetDedicatedNodes = 1e400 - 1e400;", "Target out of range: nan"),
        ("$TargetLowPriorityNodes = 1e10;", "Target out of range: 10000000000"),
        ('$TargetDedicatedNodes = "two"; stop();', "Type mismatch: double expected, string found"),
        (
            "a = $PendingTasks.GetSample(TimeInterval_Minute * 5, 70);",
            "Line 1, Col 28: Insufficient data from data set: $PendingTasks wanted 70%, received 40%",
        ),
    ],
)
def test_an_invalid_formula_changes_nothing_and_the_error_has_its_place(formula: str, said: str) -> None:
    found = run(formula)
    assert found.error == said
    assert (found.dedicated, found.spot) == (5, 2)
    assert found.results == "$TargetDedicatedNodes=5;$TargetLowPriorityNodes=2;$NodeDeallocationOption=requeue"


@pytest.mark.parametrize(
    "expression",
    [
        "time() - TimeInterval_Hour",
        "TimeInterval_Hour * TimeInterval_Hour",
        "TimeInterval_Hour / TimeInterval_Minute",
        "2 / TimeInterval_Hour",
        "2 + TimeInterval_Hour",
        "TimeInterval_Hour + 2",
        "TimeInterval_Hour > 60",
        "time() > 60",
        "time() * 2",
        '"a" + "b"',
        '"a" == 1',
        '!"a"',
        "-time()",
        "!TimeInterval_Zero",
        "TimeInterval_Hour && 1",
        "TimeInterval_Hour ? 1 : 2",
        '"a" ? 1 : 2',
        "$PendingTasks.GetSample(1) > 0",
        "$PendingTasks.GetSample(1) ? 1 : 2",
        "-$PendingTasks.GetSample(1)",
        "2 * $PendingTasks.GetSample(1)",
        "vec(1, 2) + vec(1)",
        "vec(1, 2) == vec(1, 2)",
        "vec(1, 2) * TimeInterval_Hour",
        "requeue == requeue",
        "+1",
        "'a'",
        "[1, 2]",
        "1 % 2",
        "Max(1, 2)",
        "max(TimeInterval_Hour)",
        'max("a")',
        "max()",
        "avg()",
        "norm()",
        "range()",
        "std(1)",
        "std(1e308, -1e308, 1e308) * 1e308 * vec(1)",
        "lg()",
        "lg(0)",
        "ln(-1)",
        "rand(1)",
        "percentile(1, 2, 50)",
        "percentile(vec(1, 2), 101)",
        "percentile(vec(), 50)",
        "percentile(2, 50)",
        "val(1, 0)",
        "val(vec(1), -1)",
        "val(vec(1))",
        "time(1)",
        'time("2026-07-01T10:00:00Z", 1)',
        "stop(1)",
        "time().Hour",
        "time().hour.minute",
        "TimeInterval_Hour.hour",
        "timeInterval_Hour",
        "time() + TimeInterval_Year * 10000",
        "$pendingTasks",
        "$TargetSpotNodes",
        "$CurrentLowPriority",
        "$PendingTasks.GetSample()",
        "$PendingTasks.GetSample(0)",
        "$PendingTasks.GetSample(50, TimeInterval_Hour)",
        "$PendingTasks.GetSample(TimeInterval_Hour, time(), 1, 1)",
        '$PendingTasks.GetSample("1")',
        "$PendingTasks.getSample(1)",
        "$PendingTasks.GetSamplePercent()",
        "$PendingTasks.GetSamplePercent(1)",
        "$PendingTasks.GetSamplePercent(TimeInterval_Hour, time(), 1)",
        "$PendingTasks.Count(1)",
        "$PendingTasks.GetSamplePeriod(1)",
        "$PendingTasks.HistoryBeginTime(1)",
        "$TargetDedicatedNodes.GetSample(1)",
        "true",
        "null",
    ],
)
def test_what_the_document_does_not_have_is_an_evaluation_error(expression: str) -> None:
    found = run(f"$TargetDedicatedNodes = 9; x = {expression};")
    assert found.error.startswith("Line 1, Col ")
    assert (found.dedicated, found.code) == (5, "AutoScalingFormulaEvaluationError")


def test_a_vector_that_doubles_with_each_statement_is_refused() -> None:
    found = run("a = vec(1, 1);" + "a = vec(a, a);" * 98)
    assert found.error == "Line 1, Col 229: The vector has more than 100000 numbers"


@pytest.mark.parametrize(
    "statement",
    [
        "$NodeDeallocationOption = 1",
        '$NodeDeallocationOption = "requeue"',
        "$TargetDedicatedNodes = $PendingTasks.GetSample(1)",
        "$TargetDedicatedNodes = TimeInterval_Hour",
        "$CurrentDedicated = 1",
        "$PendingTasks = 1",
        "TimeInterval_Hour = 1",
        "requeue = 1",
    ],
)
def test_a_variable_of_the_service_takes_only_its_values(statement: str) -> None:
    found = run(f"{statement};")
    assert found.error
    assert (found.dedicated, found.spot, found.option) == (5, 2, "requeue")


@pytest.mark.parametrize(
    ("formula", "dedicated"),
    [
        ("$TargetDedicated = 7; $TargetDedicatedNodes = 8;", 8),
        ("$TargetDedicatedNodes = 8; $TargetDedicated = 7;", 8),
        ("$TargetDedicated = 7;", 7),
        ("$TargetDedicated = 7; $TargetDedicated = $TargetDedicated + 1;", 8),
        ("$TargetDedicated = 7; x = $TargetDedicatedNodes;", 7),
        ("$TargetDedicated = $TargetDedicatedNodes + 1;", 6),
    ],
)
def test_the_name_of_a_target_takes_precedence_over_its_old_name(formula: str, dedicated: int) -> None:
    found = run(formula)
    assert found.results.startswith(f"$TargetDedicatedNodes={dedicated};$TargetLowPriorityNodes=2;")
    assert run(formula.replace("Dedicated", "LowPriority")).error == ""


@pytest.mark.parametrize("option", ["requeue", "terminate", "taskcompletion", "retaineddata"])
def test_each_deallocation_option(option: str) -> None:
    assert run(f"$NodeDeallocationOption = {option};").option == option


def test_a_formula_has_at_most_a_hundred_statements() -> None:
    assert formulas.check("a = 1;" * 100) == ""
    assert formulas.check("a = 1;" * 101) == "Line 1, Col 601: Syntax error: the formula has more than 100 statements"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("2026", "2026-01-01T00:00:00.000Z"),
        ("2026-07", "2026-07-01T00:00:00.000Z"),
        ("2026-07-04", "2026-07-04T00:00:00.000Z"),
        ("2026-07-04T19:20Z", "2026-07-04T19:20:00.000Z"),
        ("2026-07-04T19:20+01:00", "2026-07-04T18:20:00.000Z"),
        ("2026-07-04T19:20:30-08:30", "2026-07-05T03:50:30.000Z"),
        ("2026-07-04T19:20:30.45Z", "2026-07-04T19:20:30.450Z"),
        ("Wed, 01 Jul 2026 09:00:00 GMT", "2026-07-01T09:00:00.000Z"),
        ("Mon, 06 Oct 2014 10:20:00 GMT", "2014-10-06T10:20:00.000Z"),
        ("1 Jul 2026 09:00 UT", "2026-07-01T09:00:00.000Z"),
        ("Wed, 1 Jul 2026 09:00:00 +0200", "2026-07-01T07:00:00.000Z"),
        ("Wed, 01 Jul 2026 09:00:00 EST", "2026-07-01T14:00:00.000Z"),
    ],
)
def test_time_takes_every_form_of_both_formats(text: str, shown: str) -> None:
    assert value(f'time("{text}")') == shown


@pytest.mark.parametrize(
    "text",
    [
        "2026-7-4",
        "20260704",
        "2026-W27-1",
        "2026-07-04T19",
        "2026-07-04T19:20",
        "2026-07-04T19:20:30",
        "2026-07-04 19:20:30Z",
        "2026-07-04T19:20:30+0100",
        "2026-02-30",
        "2026-07-04T24:20Z",
        "07/04/2026",
        "0001-01-01T00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "Tue, 01 Jul 2026 09:00:00 GMT",
        "Wed, 01 Jul 26 09:00:00 GMT",
        "Wed, 01 Jul 2026 09:00:00",
        "Wed, 01 Jul 2026 09:00:00 XYZ",
        "Wed, 32 Jul 2026 09:00:00 GMT",
        " ",
    ],
)
def test_time_refuses_other_strings(text: str) -> None:
    assert run(f'x = time("{text}");').error == f"Line 1, Col 5: Invalid time: {text}"


def test_reading_finds_what_is_wrong_without_running() -> None:
    assert formulas.check("a = (1;") == "Line 1, Col 7: Syntax error: expected ), found ;"
    assert formulas.check("a = unknown_until_it_runs;") == ""
