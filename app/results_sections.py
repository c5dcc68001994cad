"""What each file of measured figures is called, how its figures are shown, and what has to be known to read them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["SECTIONS", "Section"]


@dataclass(frozen=True)
class Section:
    """One file of figures and how it is shown.

    Attributes
    ----------
    file, title, command : str
        File in the results folder, heading, and the command that writes the file.
    note : str
        What has to be known to read the figures.
    rows : mapping of str to (str, str)
        Key of the file to what it is called and the format of its value, in order. For a table, key of a row.
    table : str, optional
        Key of the file whose list of rows is shown as a table, one column for each of ``rows``; without it the figures
        of the file are shown one below the other.
    remark : callable, optional
        From a row of the table to a sentence below it, or None.
    optional : bool
        Whether the section is left out where the file has no such table.
    """

    file: str
    title: str
    command: str
    note: str
    rows: Mapping[str, tuple[str, str]]
    table: str | None = None
    remark: Callable[[Mapping[str, Any]], str | None] | None = None
    optional: bool = False


def _no_better_than_trees(row: Mapping[str, Any]) -> str | None:
    """Say so of a network that does not beat the better tree baseline beside it."""
    if row["beats_trees"] is not False:
        return None
    return f"On {row['subset']} `{row['system']}` does not beat the best of its tree baselines."


def _beyond_the_bar(row: Mapping[str, Any]) -> str | None:
    """Say which lives had more than the one false alarm that is aimed at, or were missed."""
    if row["false_alarms"] <= 1 and row["lead_s"] > 0.0:
        return None
    return f"{row['bearing']} with seed {row['seed']} is not within the aim of one false alarm a life and none missed."


def _better_limits(row: Mapping[str, Any]) -> str | None:
    """Say in what a rule of limits is better than Raceway."""
    if not row["better"]:
        return None
    return f"With seed {row['seed']}, {row['system']} is better than Raceway: it {', '.join(row['better'])}."


def _no_better_life(row: Mapping[str, Any]) -> str | None:
    """Say where our remaining life of a bearing is no better than a baseline beside it."""
    if not row["lost_to"]:
        return None
    where = "In the mean over the bearings" if row["bearing"] == "mean" else f"On {row['bearing']}"
    return f"{where} `ours` is no better than {', '.join(row['lost_to'])}."


SECTIONS = (
    Section(
        "ingest.json",
        "Ingest through Mosquitto",
        "raceway bench ingest",
        "Blocks of 4,096 int16 samples over loopback: decoded, cut, features extracted, scored, committed with a "
        "synced log. The bare subscriber of the same run acknowledges and does nothing else. Latency is measured at "
        "60 % of the top rate, from publication to committed verdict.",
        {
            "blocks_per_s": ("whole pipeline, blocks/s", ",.0f"),
            "bare_blocks_per_s": ("bare subscriber, blocks/s", ",.0f"),
            "share_of_bare": ("pipeline over bare", ".2f"),
            "p50_ms": ("median latency, ms", ",.0f"),
            "p99_ms": ("99th percentile of latency, ms", ",.0f"),
            "lost": ("blocks lost", ",d"),
            "duplicated": ("blocks stored twice", ",d"),
        },
    ),
    Section(
        "console.json",
        "The console in a browser",
        "raceway bench console",
        "A made-up history of 50 machines over 90 days, hourly; the real console, Chromium on the same machine, both "
        "warm. First paint is from the start of the navigation until the page's title and its main table or chart are "
        "drawn; an interaction is from the input until the answer is drawn and nothing is computed any more. "
        "`docs/CONSOLE.md` "
        "shows the pages.",
        {
            "page": ("page", ""),
            "first_ms": ("first paint, ms", ",d"),
            "first_worst_ms": ("worst", ",d"),
            "whole_ms": ("all of it, ms", ",d"),
            "interaction": ("interaction", ""),
            "interact_ms": ("answered, ms", ",d"),
            "interact_worst_ms": ("worst", ",d"),
            "n": ("openings", ",d"),
        },
        table="pages",
    ),
    Section(
        "fleet.json",
        "A fleet over one gateway",
        "raceway bench fleet",
        "Nodes in C as processes, each on a line of its own to one gateway and Mosquitto, one report a second. On "
        "every line this share of the frames is lost each way, and every 20 to 60 s it loses everything for 0.5 to 4 "
        "s, with half of the nodes by hanging up. What a node made is what it wrote down itself; what arrived is "
        "counted at a subscriber, after the time given. The delay is from the making of a report, its line down or "
        "not.",
        {
            "nodes": ("nodes", ",d"),
            "minutes": ("minutes", ".1f"),
            "frame_loss": ("frames lost", ".1%"),
            "drops": ("drops of lines", ",d"),
            "reports_made": ("reports made", ",d"),
            "reports_arrived": ("reports that arrived", ",d"),
            "lost": ("lost", ",d"),
            "doubled": ("doubled", ",d"),
            "delay_median_s": ("median delay, s", ".3f"),
            "delay_p99_s": ("99th percentile of the delay, s", ".2f"),
            "gateway_cpu_share": ("of one core, taken by the gateway", ".1%"),
            "gateway_rss_mb": ("memory of the gateway, MiB", ",.0f"),
        },
    ),
    Section(
        "features.json",
        "Feature extraction",
        "raceway bench features",
        "The whole `full` profile on one core, speed and bearing known, 2,048-sample float32 windows in batches of "
        "512; TSFEL's statistical, spectral and temporal sets and one `scipy.fft.rfft` of the same windows take turns "
        "with it in the same run.",
        {
            "n_features": ("features", ",d"),
            "windows_per_s": ("windows/s", ",.0f"),
            "cost_over_rfft": ("cost over one rfft of the batch", ".1f"),
            "speedup_over_tsfel": ("times cheaper than TSFEL, window for window", ",.0f"),
            "n_features_tsfel": ("features of TSFEL", ",d"),
        },
    ),
    Section(
        "cwru-anomaly.json",
        "Detection on CWRU",
        "raceway evaluate cwru-anomaly",
        "Autoencoder learned on the healthy records of loads 0 to 2, decimated to the faults' 12 kHz; the 48 kHz "
        "record would be told apart by its rate alone. Every fault is of another bearing than the healthy one, so "
        "this says how well damage of this rig is told from its health. The second pair of figures limits all "
        "signals to 5 kHz, which the filters of both series pass.",
        {
            "false_alarm_share": ("healthy windows of load 3 that alarm", ".2%"),
            "detected_share": ("fault windows that alarm", ".2%"),
            "least_detected_share": ("the same, in the record where it is least", ".2%"),
            "false_alarm_share_common_band": ("healthy windows of load 3 that alarm, 5 kHz", ".2%"),
            "detected_share_common_band": ("fault windows that alarm, 5 kHz", ".2%"),
            "least_detected_share_common_band": ("the same, in the record where it is least, 5 kHz", ".2%"),
        },
    ),
    Section(
        "cwru-envelope.json",
        "Fault kinds on CWRU from the envelope alone",
        "raceway evaluate cwru-envelope",
        "No training: the strongest family of fault lines of each of the 60 fault records, with one setting for all. "
        "The setting was chosen after the records had been seen, so the count is flattered.",
        {
            "right": ("records named rightly", ",d"),
            "wrong": ("records named wrongly", ",d"),
            "undecided": ("records left undecided", ",d"),
            "healthy_undecided": ("healthy records left undecided", ",d"),
            "healthy_records": ("healthy records", ",d"),
        },
    ),
    Section(
        "cwru-kind.json",
        "Fault kinds on CWRU, learned on simulated machines",
        "raceway evaluate cwru-kind",
        "No CWRU signal is trained on, so no bearing is on both sides. A verdict is the mean of eight windows, as "
        "the service averages them.",
        {
            "balanced_accuracy": ("balanced accuracy", ".1%"),
            "normal": ("normal verdicts right", ".1%"),
            "inner": ("inner-race verdicts right", ".1%"),
            "outer": ("outer-race verdicts right", ".1%"),
            "ball": ("rolling-element verdicts right", ".1%"),
        },
    ),
    Section(
        "cwru-unknown.json",
        "What our network does not know on CWRU",
        "raceway evaluate cwru-unknown",
        "Fault sizes left out one at a time. Temperature, threshold and largest distance are learned from the training "
        "bearings alone, each size held out in turn, for 5 % of wrong answers; what is left of that on an unseen size "
        "stands below. Two sizes are too few to calibrate on: networks that knew one say little of one that knew two, "
        "and the uncalibrated probabilities are nearer to the share that is right. That they are softened and never "
        "sharpened was decided after a first run. The inputs were chosen with these folds seen. Means over folds and "
        "seeds.",
        {
            "balanced_accuracy": ("balanced accuracy, all windows", ".1%"),
            "answered": ("windows answered", ".1%"),
            "balanced_accuracy_answered": ("balanced accuracy of those answered", ".1%"),
            "wrong_answered": ("wrong among those answered", ".1%"),
            "calibration_error_before": ("expected calibration error, uncalibrated", ".1%"),
            "calibration_error": ("expected calibration error, calibrated", ".1%"),
            "inner_never_learned_unknown": ("inner race never learned: called unknown", ".1%"),
            "outer_never_learned_unknown": ("outer race never learned: called unknown", ".1%"),
            "ball_never_learned_unknown": ("rolling element never learned: called unknown", ".1%"),
            "inner_never_learned_normal": ("inner race never learned: called normal", ".1%"),
            "outer_never_learned_normal": ("outer race never learned: called normal", ".1%"),
            "ball_never_learned_normal": ("rolling element never learned: called normal", ".1%"),
            "int8_bytes": ("int8 network, bytes", ",.0f"),
            "int8_agreement": ("int8 answers that agree with float", ".1%"),
        },
    ),
    Section(
        "femto.json",
        "Detection over the lives of the FEMTO bearings",
        "raceway evaluate femto",
        "Each bearing's autoencoder learns from its own first 60 or 100 snapshots; how many, and the alarm's setting, "
        "are those that served the five other bearings. An alarm that clears counts as false, one that stands to the "
        "end as found, however early: nobody labelled where damage begins, and a warning over most of a life may be "
        "running-in. The grid of settings and the rule that chooses among them were themselves chosen after the lives "
        "had been seen (`docs/DESIGN.md` says what was tried), which flatters the figures. Five seeds.",
        {
            "bearing": ("bearing", ""),
            "seed": ("seed", "d"),
            "false_alarms": ("false alarms", "d"),
            "lead_s": ("warning before the end, s", ",.0f"),
            "lead_share": ("share of the life", ".0%"),
        },
        table="rows",
        remark=_beyond_the_bar,
    ),
    Section(
        "degradation.json",
        "The service's forecast over the lives of the FEMTO bearings",
        "raceway evaluate degradation",
        "What `raceway forecast` would have said: growth of the RMS level since its onset, followed to the level at "
        "which the others failed (median of their last minute), judged every 5 % of the life from 10 % to 95 %. "
        "`said` counts the moments that got a time at all; `covered` is the share of these whose true remaining life "
        "lay in the interval, which is to be 90 %; `too late` counts those due later than one and a half times the "
        "truth. Nothing was tuned on these lives. The intervals do not hold what they promise as times of failure: the "
        "levels at which bearings fail differ, and growth speeds up. The service follows velocity to zone D instead.",
        {
            "bearing": ("bearing", ""),
            "moments": ("moments", "d"),
            "said": ("said", "d"),
            "covered": ("covered", ".0%"),
            "error_percent": ("median error, %", ",.0f"),
            "late": ("too late", "d"),
        },
        table="rows",
    ),
    Section(
        "femto.json",
        "Remaining life of the FEMTO bearings",
        "raceway evaluate femto",
        "One bearing left out at a time; judged every 5 % of its life from 10 % to 95 %, from what was heard up to "
        "there. `score` is that of the 2012 challenge (1 is perfect, half for 20 % too short or 5 % too long); the "
        "late error is the median of the last half of the life. `mean life` is that of the five others less the age, "
        "`trend` runs the growth of the RMS level on to failure, `forest` sees all inputs that `ours` chooses from. "
        "Settings come from the five others, though the choice of what to try was made with all six in view. "
        "Intervals are to hold 90 % of the moments of a bearing with probability 5/6, no more can be had from five; "
        "what they hold is worth six draws. Means over the seeds, ± the standard deviation over them.",
        {
            "system": ("system", ""),
            "bearing": ("bearing", ""),
            "mae_s": ("mean error, s", ",.0f"),
            "mae_spread_s": ("±", ",.0f"),
            "rmse_s": ("rmse, s", ",.0f"),
            "late_error_percent": ("late error, %", ",.0f"),
            "score": ("score", ".3f"),
            "score_spread": ("±", ".3f"),
            "coverage90": ("covered", ".0%"),
            "width90_s": ("width, s", ",.0f"),
            "seeds": ("seeds", "d"),
        },
        table="life",
        remark=_no_better_life,
        optional=True,
    ),
    Section(
        "false-alarms.json",
        "Healthy windows that pass a threshold, simulated",
        "raceway evaluate false-alarms",
        "Each simulated machine's baseline learns from 120 windows, then its later health is scored, speed and load "
        "wandering. `rule`: the rate that the threshold stands for, or, formerly, twice the largest error held out. "
        "The interval holds 95 % as if windows were independent, which overlapping ones are not. Alarms need three "
        "windows in a row; a month is one of a burst of three windows each ten minutes. Faults: three of bearings, "
        "unbalance, misalignment, at severities of 0.1, 0.2 and 0.4; machines are drawn widely and hide many of them.",
        {
            "rule": ("rule", ""),
            "windows": ("windows", ",d"),
            "passed": ("above", ",d"),
            "share": ("share", ".1e"),
            "low": ("from", ".1e"),
            "high": ("to", ".1e"),
            "worst_machine": ("worst machine", ".1e"),
            "alarms": ("alarms", "d"),
            "alarms_a_month": ("alarms a machine-month", ".2f"),
            "alarms_a_month_high": ("at most", ".2f"),
            "detected_0.1": ("faults of 0.1", ".0%"),
            "detected_0.2": ("of 0.2", ".0%"),
            "detected_0.4": ("of 0.4", ".0%"),
        },
        table="rows",
    ),
    Section(
        "false-alarms.json",
        "Healthy windows that pass a threshold at a load not learned",
        "raceway evaluate false-alarms",
        "The baseline learns the healthy rig at all other loads; `healthy` are windows of the load left out above the "
        "threshold of a rule, `faulty` those of the damaged rig there. The gearbox from features without a time axis, "
        "with levels and without. Healthy and damaged rig differ in more than the damage, so that all damage is seen.",
        {
            "data": ("data", ""),
            "load": ("load", ""),
            "healthy_windows": ("windows", "d"),
            "passed at 0.01": ("healthy, 0.01", ".1%"),
            "passed at 0.001": ("healthy, 0.001", ".1%"),
            "passed at 0.0001": ("healthy, 0.0001", ".1%"),
            "passed at 2 x max": ("healthy, 2 x max", ".1%"),
            "detected at 0.001": ("faulty, 0.001", ".1%"),
            "detected at 2 x max": ("faulty, 2 x max", ".1%"),
        },
        table="left_out",
    ),
    Section(
        "demo-day.json",
        "A simulated plant of 50 machines over 90 days, beside ISO limits",
        "raceway demo day",
        "Everything is simulated, by the plant model that the network of fault kinds learned from too, with far more "
        "faults than a real plant has. A burst of 0.4 s every two hours, alarms after three windows in a row, for all. "
        "Faults `open` still grew at the end, without an alarm. Lead is from the first alarm to the failure of the "
        "machine that nobody repairs. False alarms are those of machines without a fault, for each 30 days in which "
        "one was judged. `docs/DEMO.md` says what is scripted and what is not.",
        {
            "seed": ("seed", "d"),
            "system": ("system", ""),
            "faults": ("faults", "d"),
            "found": ("found", "d"),
            "missed": ("missed", "d"),
            "open": ("open", "d"),
            "median_lead_d": ("median lead, d", ".1f"),
            "worst_lead_d": ("worst lead, d", ".1f"),
            "alarms": ("alarms", "d"),
            "false_alarms": ("false", "d"),
            "false_a_month": ("false a machine-month", ".3f"),
            "alarms_an_operator_hour": ("alarms an operator-hour", ".3f"),
        },
        table="systems",
        remark=_better_limits,
    ),
    Section(
        "demo-day.json",
        "Faults that are found in the simulated plant, by kind",
        "raceway demo day",
        "Of the first seed above; the lead is Raceway's. Limits of velocity from 10 to 1,000 Hz see what shakes a "
        "machine at its speed, and little of impacts that ring above.",
        {
            "kind": ("kind", ""),
            "faults": ("faults", "d"),
            "raceway": ("Raceway", "d"),
            "zone_c": ("zone C", "d"),
            "zone_d": ("zone D", "d"),
            "baseline": ("baseline + 25 %", "d"),
            "median_lead_d": ("median lead, d", ".1f"),
        },
        table="kinds",
        optional=True,
    ),
    Section(
        "demo-day.json",
        "People, models and losses in the simulated plant",
        "raceway demo day",
        "Of the first seed above. Ingest was killed twice, in a transaction and between commit and acknowledgement, "
        "the retraining job once, behind the training of a challenger; each went on.",
        {"what": ("figure", ""), "value": ("value", ",g")},
        table="totals",
        optional=True,
    ),
    Section(
        "gearbox.json",
        "A broken gear tooth on loads not learned from",
        "raceway evaluate gearbox",
        "Features of four sensors in cycles per sample, since nobody states the sampling rate; `shapes` leave levels "
        "out. Balanced accuracy over windows of 4,096 samples, mean over folds and seeds. There is one gearbox of each "
        "state, on both sides of every split: what is told apart may be the gearbox and not its tooth, and ridge "
        "regression tells it without a mistake, so that this set ranks no systems: no network beats it.",
        {
            "protocol": ("protocol", ""),
            "inputs": ("inputs", ""),
            "system": ("system", ""),
            "mean": ("balanced accuracy", ".1%"),
            "spread": ("± over seeds", ".1%"),
            "least": ("worst fold", ".1%"),
        },
        table="rows",
    ),
    Section(
        "cmapss.json",
        "Remaining life on C-MAPSS",
        "raceway evaluate cmapss",
        "Cycles that remain after the last row of each test unit. Everything is learned on the training units, with "
        "targets of at most 125 cycles; `rmse` caps the truth at 125 too, `uncapped` and NASA's score do not. Means "
        "over the seeds, ± the standard deviation over them. Intervals are to hold 90 % of the capped truths; only "
        "`ours` gives any. `ridge`, `forest` and `boosting` see last value, mean and slope of each sensor over 30 "
        "cycles; `ours` and `boosting on our means` see means over up to 100 cycles, over the first 20, and the age. "
        "Whether the published errors cap the truth is not known here. Simulated by the publisher.",
        {
            "subset": ("subset", ""),
            "system": ("system", ""),
            "rmse": ("rmse", ".2f"),
            "rmse_spread": ("±", ".2f"),
            "rmse_uncapped": ("uncapped", ".2f"),
            "score": ("score", ",.0f"),
            "coverage90": ("covered", ".1%"),
            "width90": ("width", ".1f"),
            "seeds": ("seeds", "d"),
            "published_rmse": ("published rmse", ".2f"),
            "source": ("source", ""),
        },
        table="rows",
        remark=_no_better_than_trees,
    ),
    Section(
        "cmapss-int8.json",
        "Our network of remaining life as integers",
        "raceway evaluate cmapss-int8",
        "`ours` of C-MAPSS as the all-integer `.tflite` that a node runs, its ranges from training units. Error in "
        "cycles with the truth capped at 125, mean over five seeds, of the same networks as floats and as integers.",
        {
            "subset": ("subset", ""),
            "rmse": ("rmse, float", ".2f"),
            "rmse_int8": ("rmse, int8", ".2f"),
            "bytes": ("int8 network, bytes", ",d"),
        },
        table="rows",
    ),
)
