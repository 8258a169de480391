-- What a host that serves keeps: who changed what, which versions of plugins
-- people chose, calls for replay, and what became of schedules. The schedules of
-- version 1 were never written.

DROP TABLE schedules;

CREATE TABLE schedules (
  workflow TEXT    NOT NULL,
  key      TEXT    NOT NULL, -- which of the workflow's schedules
  state    BLOB    NOT NULL,
  at       INTEGER NOT NULL,
  PRIMARY KEY (workflow, key)
) WITHOUT ROWID;

CREATE TABLE audits (
  n      INTEGER PRIMARY KEY,
  time   INTEGER NOT NULL,
  sender TEXT    NOT NULL,
  action TEXT    NOT NULL,
  target TEXT    NOT NULL,
  detail TEXT    NOT NULL,
  ok     INTEGER NOT NULL
);

CREATE TABLE swaps (
  root     TEXT    NOT NULL,
  plugin   TEXT    NOT NULL,
  digest   TEXT    NOT NULL,
  previous TEXT    NOT NULL, -- what a rollback goes back to
  origin   TEXT    NOT NULL, -- where its bytes are from: source, upload
  source   TEXT    NOT NULL, -- digest of what the workflow file named at that time
  at       INTEGER NOT NULL,
  sender   TEXT    NOT NULL,
  PRIMARY KEY (root, plugin)
) WITHOUT ROWID;

CREATE TABLE recordings (
  n      INTEGER PRIMARY KEY,
  root   TEXT    NOT NULL,
  plugin TEXT    NOT NULL,
  data   BLOB    NOT NULL,
  at     INTEGER NOT NULL
);
CREATE UNIQUE INDEX recordings_plugin ON recordings (root, plugin);
