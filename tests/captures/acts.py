"""What is done in each capture. An act makes its tables, starts its connector, writes, and says what it wants to be remembered."""

from __future__ import annotations

from typing import Any

from scene import ITEMS, Act, Scene


def insert(scene: Scene) -> dict[str, Any]:
    scene.tables()
    scene.start()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10)", "INSERT INTO items VALUES (2, 'Bob', NULL)", "INSERT INTO items VALUES (3, '', 0)")
    return {}


def update(scene: Scene) -> dict[str, Any]:
    """Values that change, that do not, that become NULL, and that come back."""
    scene.tables()
    scene.start()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10)", "INSERT INTO items VALUES (2, 'Bob', 20)")
    scene.run("UPDATE items SET qty = 11 WHERE id = 1", "UPDATE items SET qty = qty WHERE id = 1", "UPDATE items SET qty = 10 WHERE id = 1")
    scene.run("UPDATE items SET name = NULL WHERE id = 2", "UPDATE items SET name = '' WHERE id = 2", "UPDATE items SET qty = qty + 1")
    return {}


def delete(scene: Scene) -> dict[str, Any]:
    scene.tables()
    scene.start()
    scene.run(
        "INSERT INTO items VALUES (1, 'Ada', 10)", "INSERT INTO items VALUES (2, 'Bob', 20)", "INSERT INTO items VALUES (3, 'Cem', 30)"
    )
    scene.run("DELETE FROM items WHERE id = 1", "DELETE FROM items WHERE id > 1")
    scene.run("INSERT INTO items VALUES (2, 'Bob', 20)", "INSERT INTO items VALUES (3, 'Dee', 31)", "DELETE FROM items WHERE id = 3")
    return {}


def primary_key_change(scene: Scene) -> dict[str, Any]:
    """A move, a move on, a move back, and a swap by way of a third key inside one transaction."""
    scene.tables()
    scene.start()
    scene.run(
        "INSERT INTO items VALUES (1, 'Ada', 10)", "INSERT INTO items VALUES (5, 'Eve', 50)", "INSERT INTO items VALUES (6, 'Fay', 60)"
    )
    scene.run(
        "UPDATE items SET id = 2 WHERE id = 1", "UPDATE items SET qty = 11 WHERE id = 2", "UPDATE items SET id = 3, qty = 12 WHERE id = 2"
    )
    scene.run("UPDATE items SET id = 1 WHERE id = 3")
    swap = scene.begin(
        "UPDATE items SET id = -1 WHERE id = 5", "UPDATE items SET id = 5 WHERE id = 6", "UPDATE items SET id = 6 WHERE id = -1"
    )
    swap.commit()
    return {}


def one_transaction(scene: Scene) -> dict[str, Any]:
    """Several statements on one row in one transaction; a delete with a new insert; an insert that is taken away again."""
    scene.tables()
    scene.start()
    scene.begin(
        "INSERT INTO items VALUES (1, 'Ada', 1)",
        "UPDATE items SET qty = 2 WHERE id = 1",
        "UPDATE items SET qty = 3, name = 'Ada B' WHERE id = 1",
    ).commit()
    scene.run("INSERT INTO items VALUES (2, 'Bob', 20)", "INSERT INTO items VALUES (4, 'Dan', 40)")
    scene.begin("DELETE FROM items WHERE id = 2", "INSERT INTO items VALUES (2, 'Bob', 21)").commit()
    scene.begin("INSERT INTO items VALUES (3, 'Cem', 30)", "DELETE FROM items WHERE id = 3").commit()
    scene.begin("UPDATE items SET qty = 99 WHERE id = 4", "UPDATE items SET qty = 40 WHERE id = 4").commit()
    scene.begin("UPDATE items SET qty = 0 WHERE id = 4", "SAVEPOINT s", "DELETE FROM items", "ROLLBACK TO s").commit()
    return {}


def multi_row_insert(scene: Scene) -> dict[str, Any]:
    scene.tables()
    scene.start()
    scene.run(
        "INSERT INTO items SELECT n, 'row ' || n, n * 10 FROM generate_series(1, 25) n", "UPDATE items SET qty = qty + 1 WHERE id <= 10"
    )
    scene.run("INSERT INTO items VALUES (5, 'five', 5), (26, 'new', 26) ON CONFLICT (id) DO UPDATE SET name = excluded.name")
    return {}


def copy(scene: Scene) -> dict[str, Any]:
    """COPY writes several rows in one log record: they share an LSN."""
    scene.tables()
    scene.start()
    with scene.db.cursor().copy("COPY items FROM STDIN") as rows:
        for n in range(1, 31):
            rows.write_row((n, f"row {n}", n))
    scene.run("UPDATE items SET name = 'changed' WHERE id % 7 = 0", "DELETE FROM items WHERE id > 28")
    return {}


def truncate(scene: Scene) -> dict[str, Any]:
    """A truncate, rows again, and a truncate inside a transaction that goes on writing."""
    scene.roles["truncate"] = "close"
    scene.tables()
    scene.start()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20)", "TRUNCATE items", "INSERT INTO items VALUES (1, 'Ada', 11)")
    scene.run("INSERT INTO items VALUES (3, 'Cem', 30)")
    scene.begin(
        "INSERT INTO items VALUES (4, 'Dan', 40)", "TRUNCATE items", "INSERT INTO items VALUES (3, 'Cem', 31), (5, 'Eve', 50)"
    ).commit()
    scene.run("UPDATE items SET qty = 51 WHERE id = 5")
    return {}


def insert_waits(scene: Scene) -> dict[str, Any]:
    """An insert that is logged, waits at the unique index behind a delete, and commits after it: three ways to be the delete."""
    scene.tables()
    scene.start()
    scene.run("INSERT INTO items VALUES (1, 'old', 1), (2, 'old', 2), (3, 'old', 3), (30, 'moves', 30)")
    first = scene.begin("UPDATE items SET qty = 10 WHERE id = 1")  # an update first, or the waiting insert would find a deleted row
    second = scene.begin("INSERT INTO items VALUES (5, 'first', 5)")
    third = scene.begin("UPDATE items SET qty = 33 WHERE id = 3")
    waiting = [scene.session(), scene.session(), scene.session()]
    threads = [
        scene.blocked(waiting[0], "INSERT INTO items VALUES (1, 'new', 100)"),
        scene.blocked(waiting[1], "INSERT INTO items VALUES (5, 'second', 500)"),
        scene.blocked(waiting[2], "UPDATE items SET id = 3, qty = 300 WHERE id = 30"),
    ]
    first.execute("DELETE FROM items WHERE id = 1")
    second.execute("DELETE FROM items WHERE id = 5")
    third.execute("UPDATE items SET id = 4 WHERE id = 3")
    for holder, thread, waiter in zip((first, second, third), threads, waiting, strict=True):
        holder.commit()
        thread.join()
        waiter.commit()
    return {"waited": [1, 5, 3]}


def deferrable_key(scene: Scene) -> dict[str, Any]:
    """Two rows swap their keys in one statement, which only a deferrable key allows: the log takes away a key after it has given it."""
    scene.tables(ITEMS.replace("PRIMARY KEY", "PRIMARY KEY DEFERRABLE INITIALLY DEFERRED"))
    scene.start()
    scene.run("INSERT INTO items VALUES (1, 'Ada', 10), (2, 'Bob', 20)", "UPDATE items SET id = 3 - id")
    return {"misplaced": [2]}


TOAST_COLUMNS = {
    "note": ("text", "repeat('n', 250)"),
    "code": ("varchar", "repeat('c', 250)"),
    "photo": ("bytea", "decode(repeat('c0ffee', 80), 'hex')"),
    "tags": ("text[]", "array_fill('tag'::text, ARRAY[50])"),
    "docs": ("jsonb[]", "array_fill('{\"a\": 1}'::jsonb, ARRAY[20])"),
    "blobs": ("bytea[]", "array_fill('\\xc0ffee'::bytea, ARRAY[40])"),
    "counts": ("integer[]", "array_fill(7, ARRAY[60])"),
    "bigs": ("bigint[]", "array_fill(7000000000, ARRAY[40])"),
    "ids": ("uuid[]", "array_fill('00000000-0000-0000-0000-000000000360'::uuid, ARRAY[20])"),
    "doc": ("jsonb", "jsonb_build_object('k', repeat('j', 250))"),
    "page": ("xml", "('<p>' || repeat('p', 250) || '</p>')::xml"),
    "amount": ("numeric", "('1' || repeat('0', 800) || '.5')::numeric"),
    "props": ("hstore", "hstore('h', repeat('h', 250))"),
}


def _toast_table() -> str:
    columns = ", ".join(f"{name} {kind}" for name, (kind, _) in TOAST_COLUMNS.items())
    external = ", ".join(f"ALTER COLUMN {name} SET STORAGE EXTERNAL" for name in TOAST_COLUMNS)
    return (
        f"CREATE EXTENSION hstore; CREATE TABLE items (id integer PRIMARY KEY, name text, {columns}) WITH (toast_tuple_target = 128);"
        f"ALTER TABLE items {external}"
    )


def _toast(scene: Scene, props: str, **config: str) -> dict[str, Any]:
    """Default replica identity: an unchanged large value is not in the log, and Debezium sends what stands for it."""
    columns, values = ", ".join(TOAST_COLUMNS), ", ".join(value for _, value in TOAST_COLUMNS.values())
    scene.roles = {"key": ["id"], "tracked": ["name", *TOAST_COLUMNS], "types": {"note": "text", "photo": "bytea"}}
    scene.told = ("id", "name")
    parts = ", ".join(f"'{name}', {props if name == 'props' else _as_sent(name, kind)}" for name, (kind, _) in TOAST_COLUMNS.items())
    scene.final_query = f"SELECT jsonb_build_object('id', id, 'name', name, {parts}) FROM items ORDER BY id"
    scene.tables(_toast_table())
    scene.run(f"INSERT INTO items (id, name, {columns}) SELECT 3, 'was there before', {values}")
    scene.start(**config)
    scene.run(f"INSERT INTO items (id, name, {columns}) SELECT n, 'row ' || n, {values} FROM generate_series(1, 2) n")
    scene.run("UPDATE items SET name = 'renamed' WHERE id IN (1, 3)", "UPDATE items SET id = 20 WHERE id = 2")
    scene.run(
        "UPDATE items SET note = 'short' WHERE id = 20",
        "INSERT INTO items (id, name, note) VALUES (4, 'text', encode('__debezium_unavailable_value', 'base64'))",
    )
    scene.run("UPDATE items SET photo = '\\x00' WHERE id = 3")
    return {}


def _as_sent(name: str, kind: str) -> str:
    base64 = "translate(encode({}, 'base64'), E'\\n', '')"
    if kind == "bytea":
        return base64.format(name)
    if kind == "bytea[]":
        return f"(SELECT jsonb_agg({base64.format('part')}) FROM unnest({name}) part)"
    if kind == "jsonb[]":
        return f"(SELECT jsonb_agg(part::text) FROM unnest({name}) part)"
    return f"{name}::text" if kind in ("jsonb", "xml", "numeric") else name


def toast(scene: Scene) -> dict[str, Any]:
    return _toast(scene, "replace(hstore_to_json(props)::text, ': ', ':')")


def toast_bytes(scene: Scene) -> dict[str, Any]:
    """As `toast`, with Debezium's own defaults for bytes, and maps for hstore."""
    return _toast(scene, "hstore_to_jsonb(props)", binary_handling_mode="bytes", hstore_handling_mode="map")


ACTS: list[Act] = [
    insert,
    update,
    delete,
    primary_key_change,
    one_transaction,
    multi_row_insert,
    copy,
    truncate,
    insert_waits,
    deferrable_key,
    toast,
    toast_bytes,
]
