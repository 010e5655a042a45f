"""How long it takes until a project of 2,000 `.sql` files is known: its assets, and what each is made from."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.harness import Report, progress, seconds, working_folder
from benchmarks.startup import environment as environment_of_startup

FILES = 2_000

PROGRAM = """
import json, sys, time
start = time.perf_counter()
from warehouse_assets import Definitions, load_assets_from_sql_files
defs = Definitions(load_assets_from_sql_files(sys.argv[1]), unknown_tables="source")
edges = sum(len(node.parents) for node in defs.graph)
print(json.dumps({"assets": len(defs.graph.executable_keys), "edges": edges, "sqlglot": "sqlglot" in sys.modules}))
"""

HEADER = """\
/* ---
description: {name}, one row for each customer and day.
owners: [team:analytics]
tags: {{tier: gold}}
columns:
  customer_id: {{description: The customer.}}
  day: {{description: The day of the orders.}}
checks:
  - not_null: [customer_id, day]
--- */
"""

STAGING = """\
-- {name}: renamed, typed and without test accounts
with source as (

    select * from raw.{source}

),

renamed as (

    select
        id as {name}_id,
        cast(customer as bigint) as customer_id,
        nullif(trim(lower(status)), '') as status,
        case when amount_cents < 0 then 0 else amount_cents / 100.0 end as amount,
        date_trunc('day', created_at) as day,
        extract(hour from created_at) as hour_of_day,
        coalesce(note, 'none; -- not a comment') as note
    from source
    where customer not in (select account from raw.test_accounts)

)

select * from renamed
"""

JOINED = """\
with orders as (
    select * from staging.{first}
),
customers as (
    select customer_id, max(day) as last_day, count(*) as orders
    from staging.{second}
    where status in ('open', 'paid') and day >= date '2024-01-01'
    group by customer_id
    having count(*) > 1
),
ranked as (
    select
        o.*,
        c.orders as orders_of_customer,
        row_number() over (partition by o.customer_id order by o.day desc) as rank,
        sum(o.amount) over (partition by o.customer_id order by o.day rows between 6 preceding and current row) as week
    from orders as o
    inner join customers c on c.customer_id = o.customer_id
    left join staging.{third} as t on t.customer_id = o.customer_id and t.day between c.last_day - interval 7 day and c.last_day
)
select
    customer_id,
    day,
    rank,
    round(amount, 2) as amount,
    week,
    case
        when week > 1000 then 'large'
        when week > 100 then 'middle'
        else 'small'
    end as size
from ranked
where rank <= 10
"""

MART = """\
select
    day,
    size,
    count(distinct customer_id) as customers,
    sum(amount) filter (where rank = 1) as latest,
    approx_quantile(amount, 0.5) as typical,
    sum(amount) / nullif(count(*), 0) as mean
from (
    select * from joined.{first}
    union all
    select * from joined.{second}
) as both_parts
where exists (select 1 from joined.{third} as o where o.customer_id = both_parts.customer_id)
group by all
order by day, size
"""


def sql_load(repeat: int) -> Report:
    """Seconds of a process that loads all files, and knows what each is made from: the first time, after a change, and again."""
    taken: dict[str, list[float]] = {"nothing is known": [], "nothing changed": [], "one file changed": []}
    worked: dict[str, list[float]] = {when: [] for when in taken}
    with working_folder() as folder:
        models = folder / "models"
        write_models(models)
        run(folder)  # so that bytecode is written
        for _ in range(repeat):
            shutil.rmtree(folder / "cache", ignore_errors=True)
            for when in taken:
                if when == "one file changed":
                    touched = models / "marts" / "m0.sql"
                    touched.write_text(f"-- {os.urandom(4).hex()}\n{touched.read_text()}")
                found: dict[str, Any] = {}
                before = cpu_seconds()
                taken[when].append(seconds(lambda: found.update(run(folder))))  # noqa: B023
                worked[when].append(cpu_seconds() - before)
                progress({"when": when, "s": taken[when][-1], **found})
        bare = median(seconds(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)) for _ in range(5))
    rows = [
        {"when": when, "seconds": median(times), "of the CPU": median(worked[when]), "Python's start": bare}
        for when, times in taken.items()
    ]
    return Report(f"{FILES:,} .sql files, loaded by a process of their own, median of {repeat}", rows)


def cpu_seconds() -> float:
    """What the processes that were waited for have worked."""
    times = os.times()
    return times.children_user + times.children_system


def run(folder: Path) -> Any:
    """What a process finds in the models."""
    command = [sys.executable, "-c", PROGRAM, str(folder / "models")]
    environment = {**environment_of_startup(), "XDG_CACHE_HOME": str(folder / "cache")}
    done = subprocess.run(command, check=True, env=environment, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def write_models(folder: Path) -> None:
    """Write the files: from sources to staging, from there to joins, and from these to marts; a quarter has a header."""
    choose = random.Random(5)
    layers = {"staging": (800, STAGING), "joined": (700, JOINED), "marts": (500, MART)}
    above = 300
    for layer, (count, text) in layers.items():
        (folder / layer).mkdir(parents=True)
        for number in range(count):
            name = f"{layer[0]}{number}"
            before = [f"{'sjm'[list(layers).index(layer) - 1]}{choose.randrange(above)}" for _ in range(3)]
            filled = text.format(
                name=name,
                source=f"events_{choose.randrange(above)}",
                **dict(zip(("first", "second", "third"), before, strict=True)),
            )
            header = HEADER.format(name=name) if number % 4 == 0 else ""
            (folder / layer / f"{name}.sql").write_text(header + filled)
        above = count
