"""The figures as text: lines while they come in, tables, and the page docs/performance.md."""

import re
import textwrap
from pathlib import Path

from .common import fail
from .rows import BY_NAME, EMPTY, PEER, ROWS, SECTIONS, STAGES, STAGES_SECTION

METRICS = {"median_ms": "median", "p99_ms": "p99", "rate": "rate", "cpu_us": "CPU", "errors": "errors",
           "in_a_row": "flushes in a row", "resident_mib": "memory"}


def amount(metric, value):
    return {"median_ms": f"{value:,.1f} ms", "p99_ms": f"{value:,.1f} ms", "rate": f"{value:,.0f}/s",
            "cpu_us": f"{value:,.0f} µs", "errors": f"{value:,.0f}", "in_a_row": f"{value:,.0f}",
            "resident_mib": f"{value:,.0f} MiB"}[metric]


def shown(figure):
    """The numbers of one server."""
    parts = []
    if "clients" in figure:
        parts.append(f"{figure['clients']:.0f} clients")
    if "rate" in figure:
        parts.append(amount("rate", figure["rate"]))
    if figure.get("median_ms") is not None:
        parts.append(amount("median_ms", figure["median_ms"]))
    if figure.get("p99_ms") is not None:
        parts.append(f"p99 {amount('p99_ms', figure['p99_ms'])}")
    if "cpu_us" in figure:
        of = sorted(((used, name) for name, used in figure["cpu_us_of"].items() if used >= 0.5), reverse=True)
        split = ", ".join(f"{name} {used:,.0f}" for used, name in of) if len(of) > 1 else ""
        parts.append(f"{amount('cpu_us', figure['cpu_us'])} CPU" + (f" ({split})" if split else ""))
    if "in_a_row" in figure:
        parts.append(f"{amount('in_a_row', figure['in_a_row'])} flushes in a row")
    if "resident_mib" in figure:
        parts.append(amount("resident_mib", figure["resident_mib"]))
    if "statuses" in figure:
        parts.append(" ".join(f"{status}: {number:,}" for status, number in figure["statuses"].items()))
    if "statements" in figure:
        parts.append(f"{figure['statements']:.1f} statements, {figure['round_trips']:.1f} round trips, "
                     f"{figure['postgres_ms']:.1f} ms in PostgreSQL; {figure['background']:.1f} statements in the background")
    if "flushes" in figure:
        parts.append(f"{sum(figure['flushes'].values()):.1f} flushes: "
                     + ", ".join(f"{name} {number:.1f}" for name, number in figure["flushes"].items()))
    if figure.get("errors"):
        parts.append(f"**{amount('errors', figure['errors'])} errors**")
    if "stages" in figure:
        parts += [f"{stage} {figure['stages'][f'{stage}/all']:.1f} ms" for stage in STAGES]
    return ", ".join(parts)


def times_as_fast(ours, other):
    """How many times as fast as the other server ours is; None if that says nothing."""
    for metric, better in (("rate", lambda a, b: a / b), ("median_ms", lambda a, b: b / a)):
        if ours.get(metric) and other.get(metric):
            return better(ours[metric], other[metric])
    return None


def line_of(figure):
    ours = figure["servers"].get("ours", {})
    cells = []
    for server, one in figure["servers"].items():
        ratio = times_as_fast(ours, one) if server != "ours" else None
        cells.append(f"{server}: {shown(one)}" + (f" (ours {ratio:.2f} ×)" if ratio else ""))
    return f"{figure['crates']:>9,} crates: {figure['name']}: " + "; ".join(cells)


# ---- Goals


def verdicts(result, figure):
    """What the goals of a row come to: a text for each."""
    texts = []
    for goal in BY_NAME[figure["name"]].goals:
        if goal.crates in (None, figure["crates"]) and goal.metric in figure["servers"].get("ours", {}):
            for whose, base in bases(result, figure, goal):
                texts.append(verdict(goal, figure["servers"]["ours"][goal.metric], whose, base))
    return texts


def bases(result, figure, goal):
    """What a goal is a multiple of, by the name of that; None where it was not measured."""
    ours = figure["servers"]["ours"]
    if not goal.of:
        return [("", 1.0)]
    if goal.of == PEER:
        return [(name, figure["servers"].get(name, {}).get(goal.metric)) for name in result["peers"] or [PEER]]
    if goal.of in BY_NAME or goal.of == EMPTY:
        name, crates = (figure["name"], 0) if goal.of == EMPTY else (goal.of, figure["crates"])
        other = next((one["servers"].get("ours", {}) for one in result["figures"]
                      if (one["name"], one["crates"]) == (name, crates)), {})
        return [("with no crates" if goal.of == EMPTY else f"`{name}`", other.get(goal.metric))]
    return [(goal.of, figure["servers"].get(goal.of, {}).get(goal.metric))]


def verdict(goal, value, whose, base):
    sign = "≥" if goal.least else "≤"
    metric = METRICS[goal.metric]
    bound = f"{metric} {sign} {amount(goal.metric, goal.limit)}" if not whose else f"{metric} {sign} {goal.limit:g} × {whose}"
    if not base:
        return f"{bound}: not measured"
    ratio = value / base
    met = ratio >= goal.limit if goal.least else ratio <= goal.limit
    found = f"{ratio:.2f} ×, " if whose else ""
    return f"{bound}: {found}{'met' if met else '**missed**'}"


# ---- Tables


def tables(result):
    """A Markdown table for each section, and how many goals are met."""
    parts = []
    for section in SECTIONS:
        figures = [figure for figure in result["figures"] if BY_NAME[figure["name"]].section == section]
        if figures:
            shown_as = stage_table(figures[0]) if section == STAGES_SECTION else table(result, figures)
            parts.append(f"### {section}\n\n{shown_as}")
    texts = [text for figure in result["figures"] for text in verdicts(result, figure)]
    met, missed = (sum(text.endswith(end) for text in texts) for end in ("met", "**missed**"))
    if met + missed:
        parts.append(f"{met} of {met + missed} goals are met.")
    return "\n\n".join(parts)


def table(result, figures):
    servers = list(dict.fromkeys(server for figure in figures for server in figure["servers"]))
    others = [server for server in servers if server != "ours"
              and any(times_as_fast(figure["servers"].get("ours", {}), figure["servers"].get(server, {})) for figure in figures)]
    head = ["crates", "row", *servers, *[f"ours / {other}" for other in others], "goals"]
    rows = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for figure in figures:
        of = figure["servers"]
        ratios = [times_as_fast(of.get("ours", {}), of.get(other, {})) for other in others]
        cells = [f"{figure['crates']:,}", figure["name"], *[shown(of[server]) if server in of else "" for server in servers],
                 *[f"{ratio:.2f} ×" if ratio else "" for ratio in ratios], "; ".join(verdicts(result, figure))]
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows)


def stage_table(figure):
    """The stages of a publish, of each server."""
    servers = figure["servers"]
    rows = ["| stage | " + " | ".join(servers) + " |", "|" + "---|" * (len(servers) + 1)]
    for stage, until in STAGES.items():
        cells = [stage_cell({what: one["stages"][f"{stage}/{what}"] for what in WHAT}) for one in servers.values()]
        rows.append(f"| {stage}: {until} | " + " | ".join(cells) + " |")
    whole = [stage_cell({what: sum(one["stages"][f"{stage}/{what}"] for stage in STAGES) for what in WHAT})
             for one in servers.values()]
    return "\n".join([*rows, "| all | " + " | ".join(whole) + " |"])


WHAT = ("all", "disk", "postgres", "flushes", "trips")


def stage_cell(of):
    parts = []
    if of["flushes"]:
        parts.append(f"disk {of['disk']:.2f} ({of['flushes']:.1f} flushes)")
    if of["trips"]:
        parts.append(f"PostgreSQL {of['postgres']:.2f} ({of['trips']:.1f} round trips)")
    parts.append(f"rest {of['all'] - of['disk'] - of['postgres']:.2f}")
    return f"{of['all']:.2f} ms: " + ", ".join(parts)


# ---- The page


def write_page(page, result):
    """Replaces what stands between the page's markers `<!-- NAME -->` and `<!-- end of NAME -->`."""
    text = Path(page).read_text()
    for name, content in (("machine", machine_text(result)), ("rows", rows_text()), ("tables", tables(result))):
        pattern = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        text, replaced = pattern.subn(lambda found, content=content: f"{found[1]}\n{content}\n\n{found[2]}", text)
        if replaced != 1:
            fail(f"{page} has {replaced} places for {name}: put the lines `<!-- {name} -->` and `<!-- end of {name} -->` "
                 "once where it belongs")
    Path(page).write_text(text)


def filled(text, **options):
    return textwrap.fill(text, 120, break_long_words=False, break_on_hyphens=False, **options)


def machine_text(result):
    of = result["machine"]
    peers = "".join(f", and {peer}" for peer in result["peers"])
    return filled(
        f"Measured on {of['date']} with {of['supercargo']} ({of['commit']}): {of['cores']} cores of {of['processor']}, "
        f"{of['memory_gib']} GiB of memory, {of['kernel']}, {of['file_system']}. The disk takes {of['flush_ms']} ms to make "
        f"a page durable. PostgreSQL {of['postgres']}, git {of['git']}, nginx {of['nginx']}, wrk {of['wrk']}{peers}. "
        f"Rounds: {result['rounds']}. Clients and servers share the cores."
        + (f" **The machine was busy before**: its load was {of['load']:.1f}." if of.get("load", 0) >= 0.5 else ""))


def rows_text():
    items = []
    for section in SECTIONS:
        items.append(f"{section}:\n")
        items += [filled(f"- *{row.name}*: {row.about}", subsequent_indent="  ") for row in ROWS if row.section == section]
        items.append("")
    return "\n".join(items).strip()
