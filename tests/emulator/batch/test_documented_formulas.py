"""The formulas of Microsoft's documents and samples, evaluated on a pool with three busy nodes and eight tasks."""

from __future__ import annotations

from typing import NamedTuple

import pytest

from tests.support.batch_emulator import BatchEmulator

DOCUMENT = "batch-automatic-scaling.md"
OLD_DOCUMENT = "batch-automatic-scaling.md of 2015"
EXPLORER = "Azure/BatchExplorer-data"
R_PACKAGE = "Azure/doAzureParallel"
SHIPYARD = "Azure/batch-shipyard"
WORKFLOWS = "microsoft/ga4gh-tes"


class Formula(NamedTuple):
    """A public formula, and its results."""

    source: str
    text: str
    dedicated: int
    spot: int = 0
    option: str = "requeue"
    on_new_pool: int | str | None = None
    """Its target on a pool that was just created, or the code of its error; None: not asked."""


PENDING_TASKS = """
startingNumberOfVMs = 1;
maxNumberofVMs = 25;
pendingTaskSamplePercent = $PendingTasks.GetSamplePercent(180 * TimeInterval_Second);
pendingTaskSamples = pendingTaskSamplePercent < 70 ? startingNumberOfVMs :
    avg($PendingTasks.GetSample(180 * TimeInterval_Second));
$TargetDedicatedNodes=min(maxNumberofVMs, pendingTaskSamples);
$NodeDeallocationOption = taskcompletion;
"""
PREEMPTED = """
maxNumberofVMs = 25;
$TargetDedicatedNodes = min(maxNumberofVMs, $PreemptedNodeCount.GetSample(180 * TimeInterval_Second));
$TargetLowPriorityNodes = min(maxNumberofVMs , maxNumberofVMs - $TargetDedicatedNodes);
$NodeDeallocationOption = taskcompletion;
"""
CPU = """
$totalDedicatedNodes =
    (min($CPUPercent.GetSample(TimeInterval_Minute * 10)) > 0.7) ?
    ($CurrentDedicatedNodes * 1.1) : $CurrentDedicatedNodes;
$totalDedicatedNodes =
    (avg($CPUPercent.GetSample(TimeInterval_Minute * 60)) < 0.2) ?
    ($CurrentDedicatedNodes * 0.9) : $totalDedicatedNodes;
$TargetDedicatedNodes = min(400, $totalDedicatedNodes)
"""
OLD_CPU = """
$TotalNodes = (min($CPUPercent.GetSample(TimeInterval_Minute*10)) > 0.7) ?
    ($CurrentDedicated * 1.1) : $CurrentDedicated;
$TotalNodes = (avg($CPUPercent.GetSample(TimeInterval_Minute*60)) < 0.2) ? ($CurrentDedicated * 0.9) : $TotalNodes;
$TargetDedicated = min(400, $TotalNodes)
"""
WORK_HOURS = """
$curTime = {time};
$workHours = $curTime.hour >= 8 && $curTime.hour < 18;
$isWeekday = $curTime.weekday >= 1 && $curTime.weekday <= 5;
$isWorkingWeekdayHour = $workHours && $isWeekday;
{target} = $isWorkingWeekdayHour ? 20:10;
"""
OLD_WORK_HOURS = """
    $CurTime=time();
    $WorkHours=$CurTime.hour>=8 && $CurTime.hour<18;
    $IsWeekday=$CurTime.weekday>=1 && $CurTime.weekday<=5;
    $IsWorkingWeekdayHour=$WorkHours && $IsWeekday;
    $TargetDedicated=$IsWorkingWeekdayHour?20:10;
"""
TASKS = """
// Get pending tasks for the past 15 minutes.
$samples = {metric}.GetSamplePercent(TimeInterval_Minute * 15);
// If we have fewer than 70 percent data points, we use the last sample point,
// otherwise we use the maximum of last sample point and the history average.
$tasks = $samples < 70 ? max(0,{metric}.GetSample(1)) :
    max( {metric}.GetSample(1), avg({metric}.GetSample(TimeInterval_Minute * 15)));
// If number of pending tasks is not 0, set targetVM to pending tasks, otherwise
// half of current dedicated.
$targetVMs = $tasks > 0? $tasks:max(0, {target}/2);
{target} = max(0, min($targetVMs, 20));
// Set node deallocation mode - let running tasks finish before removing a node
$NodeDeallocationOption = taskcompletion;
"""
PARALLEL_TASKS = """
// Determine whether 70 percent of the samples have been recorded in the past
// 15 minutes; if not, use last sample
$samples = $ActiveTasks.GetSamplePercent(TimeInterval_Minute * 15);
$tasks = $samples < 70 ? max(0,$ActiveTasks.GetSample(1)) :
    max( $ActiveTasks.GetSample(1),avg($ActiveTasks.GetSample(TimeInterval_Minute * 15)));
$cores = {target} * 4;
$extraVMs = (($tasks - $cores) + 3) / 4;
$targetVMs = ({target} + $extraVMs);
// Attempt to grow the number of compute nodes to match the number of active
// tasks, with a maximum of 3
{target} = max(0,min($targetVMs,3));
// Keep the nodes active until the tasks finish
$NodeDeallocationOption = taskcompletion;
"""
PARALLEL_TASKS_OF_EXPLORER = """
percentage = 70;
span = TimeInterval_Minute * 15;
$samples = $ActiveTasks.GetSamplePercent(span);
$tasks = $samples < percentage ? max(0,$ActiveTasks.GetSample(1)) :
    max( $ActiveTasks.GetSample(1), avg($ActiveTasks.GetSample(span)));
multiplier = 0.25;
$cores = $TargetDedicatedNodes * 4;
$extraVMs = (($tasks - $cores) + 3) * multiplier;
$targetVMs = ($TargetDedicatedNodes + $extraVMs);
$TargetDedicatedNodes = max(0, min($targetVMs, 3));
$NodeDeallocationOption = taskcompletion;
"""
INITIAL_SIZE = """
    {target} = 4;
    lifespan         = time() - time("{since}");
    span             = TimeInterval_Minute * 60;
    startup          = TimeInterval_Minute * 10;
    ratio            = 50;

    {target} = (lifespan > startup ? (max($RunningTasks.GetSample(span, ratio),
        $ActiveTasks.GetSample(span, ratio)) == 0 ? 0 : {target}) : 4);
"""
INITIAL_SIZE_OF_EXPLORER = """
// Sets the initial pool size to 4 nodes.
initialPoolSize = 4;
$TargetDedicatedNodes = initialPoolSize;
// "Mon, 06 Oct 2014 10:20:00 GMT" represents the datetime that this autoscale formula starts to evaluate.
lifespan = time() - time("Mon, 06 Oct 2014 10:20:00 GMT");
span = TimeInterval_Minute * 60;
startup = TimeInterval_Minute * 10;
ratio = 50;
$TargetDedicatedNodes = (lifespan > startup ? (max($RunningTasks.GetSample(span, ratio),
    $ActiveTasks.GetSample(span, ratio)) == 0 ? 0 : $TargetDedicatedNodes) : initialPoolSize );
"""
POWERSHELL = (
    "totalNodes=($CPUPercent.GetSamplePercent(TimeInterval_Minute*0,TimeInterval_Minute*10)<0.7?5:"
    "(min($CPUPercent.GetSample(TimeInterval_Minute*0, TimeInterval_Minute*10))>0.8?($CurrentDedicated*1.1)"
    ":$CurrentDedicated));$TargetDedicated=min(100,totalNodes);"
)
QUEUE = """$samples = {metric}.GetSamplePercent(TimeInterval_Minute * 15);$tasks = $samples < 70 ? \
max(0,{metric}.GetSample(1)) : max( {metric}.GetSample(1), avg({metric}.GetSample(TimeInterval_Minute * 15)));\
$maxTasksPerNode = 2;$round = $maxTasksPerNode - 1;$targetVMs = $tasks > 0 ? (($tasks + $round) / $maxTasksPerNode) : \
max(0, $TargetDedicated/2) + 0.5;$TargetDedicatedNodes = max(1, min($targetVMs, 6));\
$TargetLowPriorityNodes = max(2, min($targetVMs, 3));$NodeDeallocationOption = taskcompletion;"""
SHIPYARD_HEAD = """maxTasksPerNode = 1;
minTargetDedicated = 1;
minTargetLowPriority = 0;
maxTargetDedicated = 16;
maxTargetLowPriority = 8;
"""
SHIPYARD_TASKS = (
    SHIPYARD_HEAD
    + """maxIncDedicated = 4;
maxIncLowPriority = 4;
sli = TimeInterval_Second * 600.0;
samplepercent = $PendingTasks.GetSamplePercent(sli);
lastsample = val($PendingTasks.GetSample(1), 0);
samplevecavg = samplepercent < 70 ? max(0, lastsample) : avg($PendingTasks.GetSample(sli));
PendingTaskAvg = samplepercent < 70 ? max(0, lastsample) : (lastsample < samplevecavg ?
avg(lastsample, samplevecavg) : max(lastsample, samplevecavg));
reqVMs = PendingTaskAvg / maxTasksPerNode;
preemptsamplepercent = $PreemptedNodeCount.GetSamplePercent(sli);
lastpreemptsample = val($PreemptedNodeCount.GetSample(1), 0);
preemptedavg = avg($PreemptedNodeCount.GetSample(sli));
preemptcount = preemptsamplepercent < 70 ? max(0, lastpreemptsample) : (lastpreemptsample > preemptedavg ?
avg(lastpreemptsample, preemptedavg) : min(lastpreemptsample, preemptedavg));
currenttotal = $CurrentDedicatedNodes + $CurrentLowPriorityNodes;
preemptedpercent = currenttotal > 0 ? preemptcount / currenttotal : 0;
rebalance = preemptedpercent >= 50;
maxDedicatedVMs = min($CurrentDedicatedNodes + maxIncDedicated, maxTargetDedicated);
maxLowPriVMs = min($CurrentLowPriorityNodes + maxIncLowPriority, maxTargetLowPriority);
reqVMs = max(0, reqVMs - minTargetDedicated - minTargetLowPriority);
divisor = (maxTargetDedicated == 0 || maxTargetLowPriority == 0) ? 1 : 2;
dedicatedVMs = reqVMs / divisor;
dedicatedVMs = (dedicatedVMs > 0 && dedicatedVMs < 1) ? 1 : dedicatedVMs;
dedicatedVMs = max(minTargetDedicated, min(dedicatedVMs, maxDedicatedVMs));
remainingVMs = max(0, reqVMs - dedicatedVMs);
redistVMs = (rebalance && remainingVMs > 0) ? min(preemptcount, remainingVMs) : 0;
dedicatedVMs = min(dedicatedVMs + redistVMs, maxDedicatedVMs);
remainingVMs = max(0, reqVMs - dedicatedVMs);
lowPriVMs = max(minTargetLowPriority, min(remainingVMs, maxLowPriVMs));
$TargetDedicatedNodes = dedicatedVMs;
$TargetLowPriorityNodes = lowPriVMs;
$NodeDeallocationOption = taskcompletion;"""
)
SHIPYARD_WEEKEND = (
    SHIPYARD_HEAD
    + """weekdayStart = 1;
weekdayEnd = 5;
workhourStart = 8;
workhourEnd = 17;
now = time();
isPeakTime = now.weekday < weekdayStart && now.weekday > weekdayEnd;
$TargetDedicatedNodes = minTargetDedicated;
$TargetLowPriorityNodes = isPeakTime ? maxTargetLowPriority : minTargetLowPriority;
$NodeDeallocationOption = taskcompletion;"""
)
WORKFLOW_TASKS = """$NodeDeallocationOption = taskcompletion;
lifespan = time() - time("{since}");
span = TimeInterval_Second * 90;
startup = TimeInterval_Minute * 2;
ratio = 10;
${target} = (lifespan > startup ? min($PendingTasks.GetSample(span, ratio)) : 2);"""
TARGET, OLD_TARGET = "$TargetDedicatedNodes", "$TargetDedicated"
LONG_AGO, LATER = "Wed, 01 Jul 2026 09:00:00 GMT", "Fri, 01 Jan 2027 00:00:00 GMT"
NONE = "InsufficientSampleData"
FORMULAS = [
    Formula(DOCUMENT, PENDING_TASKS, 8, option="taskcompletion", on_new_pool=1),
    Formula(DOCUMENT, PREEMPTED, 0, 25, "taskcompletion", on_new_pool=NONE),
    Formula(DOCUMENT, CPU, 3, on_new_pool=NONE),
    Formula(DOCUMENT, "$TargetDedicatedNodes = (time().weekday == 1 ? 5:1);", 1, on_new_pool=1),
    Formula(DOCUMENT, "$TargetDedicatedNodes = 0", 0, on_new_pool=0),
    Formula(DOCUMENT, "$TargetDedicatedNodes = $CurrentDedicatedNodes;", 3, on_new_pool=0),
    Formula(DOCUMENT, WORK_HOURS.format(time="time()", target=TARGET), 20, on_new_pool=20),
    Formula(DOCUMENT, WORK_HOURS.format(time="time() + (-6 * TimeInterval_Hour)", target=OLD_TARGET), 10),
    Formula(DOCUMENT, TASKS.format(metric="$PendingTasks", target=TARGET), 8, option="taskcompletion", on_new_pool=0),
    Formula(DOCUMENT, PARALLEL_TASKS.format(target=TARGET), 2, option="taskcompletion", on_new_pool=0),
    Formula(DOCUMENT, INITIAL_SIZE.format(target=TARGET, since=LONG_AGO), 4, on_new_pool=NONE),
    Formula(DOCUMENT, INITIAL_SIZE.format(target=TARGET, since=LATER), 4, on_new_pool=4),
    Formula(OLD_DOCUMENT, OLD_CPU, 3, on_new_pool=NONE),
    Formula(OLD_DOCUMENT, "$TargetDedicated = (time().weekday==1?5:1);", 1),
    Formula(OLD_DOCUMENT, OLD_WORK_HOURS, 20),
    Formula(OLD_DOCUMENT, TASKS.format(metric="$ActiveTasks", target=OLD_TARGET), 5, option="taskcompletion"),
    Formula(OLD_DOCUMENT, PARALLEL_TASKS.format(target=OLD_TARGET), 2, option="taskcompletion"),
    Formula(OLD_DOCUMENT, INITIAL_SIZE.format(target=OLD_TARGET, since=LONG_AGO), 4),
    Formula(
        "batch-automatic-scaling.md of 2016",
        "$averageActiveTaskCount = avg($ActiveTasks.GetSample(TimeInterval_Minute * 15));"
        "$TargetDedicated = min(10, $averageActiveTaskCount);",
        5,
        on_new_pool=NONE,
    ),
    Formula(
        "data-factory-use-custom-activities.md",
        "pendingTaskSampleVector=$PendingTasks.GetSample(600 * TimeInterval_Second);\n"
        "$TargetDedicated = max(pendingTaskSampleVector);",
        8,
        on_new_pool=NONE,
    ),
    Formula(
        "data-factory-use-custom-activities.md",
        "pendingTaskSampleVector=$PendingTasks.GetSample(600 * TimeInterval_Second);\n"
        "$TargetDedicated = (max(pendingTaskSampleVector)>0)?1:0;",
        1,
    ),
    Formula("Az.Batch, Test-AzBatchAutoScale", POWERSHELL, 3, on_new_pool=5),
    Formula("Az.Batch, New-AzBatchPool", "$TargetDedicated=2;", 2),
    Formula("batch-powershell-cmdlets-get-started.md", "$TargetDedicated=4;", 4),
    Formula("azure-rest-api-specs, PoolUpdate_EnableAutoScale", "$TargetDedicatedNodes=34", 34),
    Formula("recorded with the Azure CLI", "$TargetLowPriorityNodes=3", 3, 3),
    Formula(EXPLORER, TASKS.format(metric="$ActiveTasks", target=TARGET), 5, option="taskcompletion"),
    Formula(EXPLORER, PARALLEL_TASKS_OF_EXPLORER, 2, option="taskcompletion"),
    Formula(EXPLORER, INITIAL_SIZE_OF_EXPLORER, 4),
    Formula(EXPLORER, WORK_HOURS.format(time="time()", target=OLD_TARGET), 20),
    Formula(R_PACKAGE, QUEUE.format(metric="$ActiveTasks"), 3, 3, "taskcompletion", on_new_pool=1),
    Formula(R_PACKAGE, QUEUE.format(metric="$PendingTasks"), 4, 3, "taskcompletion"),
    Formula(
        R_PACKAGE,
        "$curTime = time();$isWeekend = $curTime.weekday >= 6 && $curTime.weekday <= 7;"
        "$TargetDedicatedNodes = $isWeekend ? 2:5;",
        5,
    ),
    Formula(SHIPYARD, SHIPYARD_TASKS, 3, 3, "taskcompletion", on_new_pool=NONE),
    Formula(SHIPYARD, SHIPYARD_WEEKEND, 1, 0, "taskcompletion"),
    Formula(WORKFLOWS, WORKFLOW_TASKS.format(target="TargetDedicated", since=LONG_AGO), 8, option="taskcompletion"),
    Formula(
        WORKFLOWS,
        WORKFLOW_TASKS.format(target="TargetLowPriorityNodes", since=LATER),
        3,
        2,
        "taskcompletion",
    ),
    Formula(
        WORKFLOWS,
        "$NodeDeallocationOption = retaineddata; $TargetDedicatedNodes = ($PendingTasks.Count() ? 0 : 1);",
        0,
        option="retaineddata",
        on_new_pool=1,
    ),
    Formula(
        "a sample for Microsoft Planetary Computer",
        "$totalTasks = $PendingTasks.GetSample(1); $activeTasks = $ActiveTasks.GetSample(1);"
        "$TargetDedicatedNodes = min(5, $totalTasks + $activeTasks); $NodeDeallocationOption = taskcompletion;",
        5,
        option="taskcompletion",
        on_new_pool=0,
    ),
]


@pytest.fixture(scope="module")
def azure() -> BatchEmulator:
    """Return an account with a pool of three nodes that have run tasks for two hours, and with a new pool."""
    made = BatchEmulator()
    made.create_pool(dedicated=3)
    made.wait_until_steady()
    made.batch("POST", "/jobs", {"id": "j", "poolInfo": {"poolId": "p"}})
    tasks = [{"id": f"t{number}", "commandLine": "sleep 1000000"} for number in range(8)]
    made.batch("POST", "/jobs/j/addtaskcollection", {"value": tasks})
    made.clock.advance(7200)
    enable = {"autoScaleFormula": "$TargetDedicatedNodes = $CurrentDedicatedNodes;"}
    assert made.batch("POST", "/pools/p/enableautoscale", enable).status == 200
    made.create_pool("new", targetDedicatedNodes=None, targetLowPriorityNodes=None, enableAutoScale=True, **enable)
    return made


def evaluate(azure: BatchEmulator, formula: str, pool: str = "p") -> tuple[dict[str, str], str]:
    """Return the results by variable, and the code of the error."""
    run = azure.batch("POST", f"/pools/{pool}/evaluateautoscale", {"autoScaleFormula": formula}).body
    return dict(part.split("=", 1) for part in run["results"].split(";")), run.get("error", {}).get("code", "")


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.source)
def test_a_public_formula(azure: BatchEmulator, formula: Formula) -> None:
    results, error = evaluate(azure, formula.text)
    assert error == ""
    assert results["$TargetDedicatedNodes"] == str(formula.dedicated)
    assert results["$TargetLowPriorityNodes"] == str(formula.spot)
    assert results["$NodeDeallocationOption"] == formula.option


@pytest.mark.parametrize(
    "formula", [one for one in FORMULAS if one.on_new_pool is not None], ids=lambda formula: formula.source
)
def test_a_public_formula_on_a_pool_without_samples(azure: BatchEmulator, formula: Formula) -> None:
    results, error = evaluate(azure, formula.text, "new")
    if isinstance(formula.on_new_pool, str):
        assert (error, results["$TargetDedicatedNodes"]) == (formula.on_new_pool, "0")
    else:
        assert (error, results["$TargetDedicatedNodes"]) == ("", str(formula.on_new_pool))


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("$RunningTasks.GetSample(1 * TimeInterval_Minute, 6 * TimeInterval_Minute)", "[3,3,3,3,3,3,3,3,3,3]"),
        ("$RunningTasks.GetSample(60 * TimeInterval_Second, 120 * TimeInterval_Second, 75)", "[3,3]"),
        ("len($CPUPercent.GetSample(TimeInterval_Minute * 10))", "19"),
        ("len($CPUPercent.GetSample(TimeInterval_Minute * 10, 95))", "19"),
        ("$ActiveTasks", "5"),
        ("$RunningTasks", "3"),
        ("$PendingTasks", "8"),
        ("$SucceededTasks + $FailedTasks", "0"),
        ("$TaskSlotsPerNode", "1"),
        ("$CurrentDedicated + $CurrentLowPriorityNodes + $PreemptedNodeCount", "3"),
        ("$UsableNodeCount", "3"),
        ("$CPUPercent", "0.9"),
        ("$SampleNodeCount.GetSamplePercent(TimeInterval_Hour) + $MemoryBytes.Count()", "0"),
        ("time().weekday * 100 + time().hour", "311"),
    ],
)
def test_what_the_document_says_of_variables_and_samples(azure: BatchEmulator, expression: str, shown: str) -> None:
    results, error = evaluate(azure, f"x = {expression};")
    assert (error, results["x"]) == ("", shown)


def test_a_formula_that_wants_more_samples_than_there_are_has_the_documented_error(azure: BatchEmulator) -> None:
    formula = "a = 1;\n$x = $RunningTasks.GetSample(TimeInterval_Minute * 10, 96);"
    error = azure.batch("POST", "/pools/p/evaluateautoscale", {"autoScaleFormula": formula}).body["error"]
    assert error == {
        "code": "InsufficientSampleData",
        "message": "Autoscale evaluation failed due to insufficient sample data",
        "values": [
            {
                "name": "Message",
                "value": "Line 2, Col 29: Insufficient data from data set: $RunningTasks wanted 96%, received 95%",
            }
        ],
    }


def test_a_retired_variable_has_no_samples(azure: BatchEmulator) -> None:
    assert evaluate(azure, "x = $NetworkInBytes.GetSample(TimeInterval_Hour);")[1] == "InsufficientSampleData"
