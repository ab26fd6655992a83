"""The rows of the table: what each measures, and what it should be."""

import dataclasses

# Whose figures a goal is compared with.
PEER, NGINX, DAEMON, FLOOR, EMPTY, ORIGIN = "peer", "nginx", "git daemon", "floor", "no crates", "upstream"

STAGES_SECTION = "Stages of a publish"
SECTIONS = ("Publishing", "Index and crate files", "Upstreams", "API", "Cloning", "Starting", "Overload", "Statements and flushes",
            STAGES_SECTION)
# In order, each from the end of the one before.
STAGES = {
    "checks and crate file": "from the request's head until the crate file and its directory are durable",
    "transaction": "until the flush of its commit begins",
    "commit": "the flush",
    "claim and rendering": "until the first flush of the index begins",
    "index": "until its last flush ends: pack, directories, branch",
    "effective state and answer": "until the answer is sent",
}
STAGES_ROW = "stages, publish of a new crate"
# What a slow disk takes for a flush, and how many times that a publish may take.
FLUSH_MS, FLUSHES = 2, 5
SLOW_FLUSH = f"publish, 1 client, flush of {FLUSH_MS} ms"


@dataclasses.dataclass(frozen=True)
class Goal:
    """A bound of a metric: absolute, or as a multiple of another server's, of another row's, or of the row's own on an
    empty registry."""

    metric: str
    limit: float
    of: str = ""
    least: bool = False
    crates: int | None = None


def most(metric, limit, of="", crates=None):
    return Goal(metric, limit, of, False, crates)


def least(metric, limit, of, crates=None):
    return Goal(metric, limit, of, True, crates)


@dataclasses.dataclass(frozen=True)
class Row:
    section: str
    name: str
    about: str
    goals: tuple = ()


def section(name, *rows):
    return [Row(name, *row) for row in rows]


CRATES = "Crates of 1 kB, one request after the other on one connection for each client. "

OVERLOAD = (least("rate", 0.9, "publish, saturated"), most("errors", 0), most("resident_mib", 1.25, "publish, saturated"))

ROWS = [
    *section(
        "Publishing",
        ("publish, 1 client", CRATES + "Each publish is a new crate. *Floor*: the durable writes "
         "alone, as below.",
         (most("median_ms", 1.0, PEER), most("median_ms", 1.3, FLOOR), most("cpu_us", 3500, crates=0),
          most("median_ms", 1.1, EMPTY, crates=200_000))),
        (SLOW_FLUSH, f"The same, where each flush takes {FLUSH_MS} ms, as on another disk: a library in front of libc makes "
         f"`fsync` and `fdatasync` of all processes wait that long. The goal is {FLUSHES} times that. Flushes in a row are "
         "those that do not run side by side.",
         (most("median_ms", FLUSHES * FLUSH_MS), most("in_a_row", FLUSHES))),
        ("publish, 8 clients", "The same as of 1 client, by 8 clients at once.",
         (least("rate", 3.0, PEER), most("p99_ms", 0.5, PEER), most("cpu_us", 2000, crates=0))),
        ("publish, 32 clients", "The same by 32 clients at once.",
         (least("rate", 3.0, PEER), most("p99_ms", 0.5, PEER))),
        ("publish, second version", "A second version of crates that have one."),
        ("publish, version 3,001", "New versions of a crate that has 3,000.",
         (most("median_ms", 1.1, "publish, second version"),)),
        ("yank, 1 client", "Yanks and unyanks of one version by turns.", (most("median_ms", 1.5, PEER),)),
        ("yank, 3,000 versions", "The same in a crate that has 3,000 versions.",
         (most("median_ms", 1.1, "yank, 1 client"),)),
        ("publish beside 8 clones", "One publisher, while 8 clients clone the git index again and again.",
         (least("rate", 0.5, "publish, 1 client"),)),
        ("publish beside 1,000 readers", "One publisher, while 1,000 connections read the sparse index as fast as they "
         "can."),
    ),
    *section(
        "Index and crate files",
        ("GET index, one name, 16 connections", "One file of the sparse index.", (least("rate", 0.9, NGINX),)),
        ("GET index, one name, 64 connections", "The same.", (least("rate", 0.9, NGINX),)),
        ("GET index, up to 5,000 names", "Files of the sparse index at random, by 64 connections.",
         (least("rate", 0.9, NGINX),)),
        ("GET index, 1,000 connections", "The same by 1,000 connections. Errors are answers other than 200, and connections "
         "that are refused, broken or silent for 2 s.",
         (least("rate", 0.9, "GET index, up to 5,000 names"), most("errors", 0))),
        ("GET index, all names", "The same by 64 connections, of all files.", (least("rate", 3.0, NGINX, crates=200_000),)),
        ("GET index, 304", "The files of up to 5,000 names, with the ETag that the client has.",
         (least("rate", 0.9, NGINX),)),
        ("GET index, 404", "A file that does not exist.", (least("rate", 0.9, NGINX),)),
        ("GET crate, 20 kB", "A download of 20 kB by 16 connections.", (least("rate", 0.8, NGINX),)),
        ("GET crate, 1 MB", "A download of 1 MB by 16 connections.", (least("rate", 0.9, NGINX),)),
    ),
    *section(
        "Upstreams",
        ("GET index through an upstream", "Files of the sparse index of another supercargo, through this one, which keeps them: "
         "up to 5,000 names at random, by 64 connections. *Upstream*: the other one itself.",
         (least("rate", 0.77, ORIGIN),)),
        ("GET crate through an upstream, 20 kB", "A kept download of 20 kB by 16 connections.",
         (least("rate", 0.77, ORIGIN),)),
    ),
    *section(
        "API",
        ("crate page", "`GET /api/v1/crates/NAME` of up to 1,000 crates.", (most("median_ms", 2.0),)),
        ("reverse dependencies", "`GET /api/v1/crates/NAME/reverse_dependencies` of the most used crate.",
         (most("median_ms", 10.0),)),
        ("reverse dependencies, a page of 100", "The same with `per_page=100`.", (most("median_ms", 10.0),)),
        ("keywords", "`GET /api/v1/keywords?per_page=100`.", (most("median_ms", 10.0),)),
        ("categories", "`GET /api/v1/categories?per_page=100`.", (most("median_ms", 10.0),)),
        ("crates with a keyword", "`GET /api/v1/crates?keyword=serde&per_page=100`: one crate of 40 has it.",
         (most("median_ms", 20.0),)),
        ("crates in a category", "`GET /api/v1/crates?category=algorithms&per_page=100`: one crate of 40 is in it.",
         (most("median_ms", 20.0),)),
        ("summary", "`GET /api/v1/summary`.", (most("median_ms", 5.0),)),
        ("openapi.json", "`GET /api/openapi.json`."),
        ("search, exact", "`GET /api/v1/crates?q=NAME` with the names of up to 1,000 crates.",
         (most("median_ms", 3.0),)),
        ("search, misspelt", "The same with two letters of each name swapped.", (most("median_ms", 10.0),)),
    ),
    *section(
        "Cloning",
        ("git clone", "`git clone --bare` of the index. git daemon serves the same repository.",
         (most("median_ms", 1.05, DAEMON),)),
    ),
    *section(
        "Starting",
        ("first start", "`serve` in an empty directory until it answers, with the creation of its PostgreSQL cluster.",
         (most("median_ms", 1000.0),)),
        ("later start", "`serve` in its directory until it answers.", (most("median_ms", 100.0),)),
    ),
    *section(
        "Overload",
        ("publish, saturated", "The smallest number of publishers, of 8, 16, 32, 64 and 128, with which the rate is "
         "within 5 % of its peak. Publishers go on at once after a refusal; the figures are those of accepted publishes. "
         "Errors are answers other than 200 and 503 with `Retry-After`.", (most("errors", 0),)),
        ("publish, 2 × saturated", "Twice as many publishers.", OVERLOAD),
        ("publish, 4 × saturated", "Four times as many publishers.", OVERLOAD),
    ),
    *section(
        "Statements and flushes",
        ("statements, publish of a new crate", "As PostgreSQL logs them, without those of an idle registry. A round trip "
         "is a wait for PostgreSQL's answer. Transactions that take from a table named `pending_…` run in the background "
         "and are counted apart, as far as they run before the last answer."),
        ("statements, yank", "The same for a yank."),
        ("flushes, publish of a new crate", "Calls of `fsync` and `fdatasync` by all processes, as strace counts them, by "
         "what they flush. Time says nothing under strace."),
    ),
    *section(
        STAGES_SECTION,
        (STAGES_ROW, "The time from the request's head to the answer, cut where flushes begin and end. A library in front of "
         "libc notes these and each message to and from client and PostgreSQL, at less than a microsecond each. Means of "
         "publishes by one client, without the fastest and the slowest tenth."),
    ),
]
BY_NAME = {row.name: row for row in ROWS}
assert len(BY_NAME) == len(ROWS)
