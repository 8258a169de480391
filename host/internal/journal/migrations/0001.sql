-- Times are nanoseconds since 1970, 0: none. Values of more than 4 KiB lie in
-- outputs; the column *_at then holds their SHA-256 and the column before it is
-- NULL. For smaller values of a run it holds the CRC-32C.

CREATE TABLE meta (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  commits INTEGER NOT NULL, -- transactions so far, of all processes; see records.commits
  made    INTEGER NOT NULL
);
INSERT INTO meta VALUES (1, 0, 0);

CREATE TABLE owners (
  id      INTEGER PRIMARY KEY, -- random; owners/<id>.lock is held while it lives
  role    TEXT    NOT NULL,
  pid     INTEGER NOT NULL,
  since   INTEGER NOT NULL,
  beat    INTEGER NOT NULL
);

CREATE TABLE runs (
  n          INTEGER PRIMARY KEY,
  id         TEXT    NOT NULL UNIQUE,
  workflow   TEXT    NOT NULL,
  file       TEXT    NOT NULL,
  digest     TEXT    NOT NULL,
  status     TEXT    NOT NULL,
  generation INTEGER NOT NULL,
  owner      INTEGER NOT NULL, -- 0: nobody
  fence      INTEGER NOT NULL, -- the commit that gave the run to its owner
  created    INTEGER NOT NULL,
  updated    INTEGER NOT NULL, -- when this row was; a living run's last record may be later
  finished   INTEGER NOT NULL,
  wake       INTEGER NOT NULL,
  duration   REAL    NOT NULL,
  records    INTEGER NOT NULL, -- when this row was written
  reason     TEXT    NOT NULL,
  error      BLOB,
  plugins    BLOB,
  input      BLOB,
  input_at   BLOB,
  result     BLOB,
  result_at  BLOB
);
CREATE INDEX runs_status ON runs (status, n);
CREATE INDEX runs_workflow ON runs (workflow, n, status);

-- Records lie in the order in which they were written, those of all runs mixed:
-- a commit of many runs at once then fills few pages, and the index has small
-- entries.
CREATE TABLE records (
  seq       INTEGER PRIMARY KEY,
  at        INTEGER NOT NULL, -- the run's n << 28 | the record's N
  time      INTEGER NOT NULL,
  chain     INTEGER NOT NULL, -- checksum of this record and of the chain before it
  flags     INTEGER NOT NULL, -- 1: output is the event's own
  mark      INTEGER NOT NULL,
  key       TEXT    NOT NULL,
  event     BLOB,
  note      BLOB,
  output    BLOB,
  output_at BLOB,
  commits   INTEGER NOT NULL -- like meta.commits, which a transaction of records alone leaves as it is
);
CREATE UNIQUE INDEX records_at ON records (at);

CREATE TABLE outputs (
  n      INTEGER PRIMARY KEY,
  digest BLOB    NOT NULL UNIQUE,
  refs   INTEGER NOT NULL,
  data   BLOB    NOT NULL
);

CREATE TABLE commands (
  id     INTEGER PRIMARY KEY AUTOINCREMENT,
  run    INTEGER NOT NULL,
  kind   TEXT    NOT NULL,
  data   BLOB,
  sender TEXT    NOT NULL,
  at     INTEGER NOT NULL,
  taken  INTEGER NOT NULL,
  answer TEXT    NOT NULL
);
CREATE INDEX commands_run ON commands (run);
CREATE INDEX commands_open ON commands (run) WHERE taken = 0;

CREATE TABLE breakers (
  root    TEXT    NOT NULL,
  key     TEXT    NOT NULL,
  state   BLOB    NOT NULL,
  at      INTEGER NOT NULL,
  sender  TEXT    NOT NULL,
  version INTEGER NOT NULL, -- the commit that wrote it
  owner   INTEGER NOT NULL,
  PRIMARY KEY (root, key)
) WITHOUT ROWID;

CREATE TABLE reports (
  n        INTEGER PRIMARY KEY,
  workflow TEXT    NOT NULL,
  report   BLOB    NOT NULL
);
CREATE INDEX reports_workflow ON reports (workflow, n);

CREATE TABLE schedules (
  workflow TEXT    NOT NULL,
  name     TEXT    NOT NULL,
  spec     TEXT    NOT NULL,
  last     INTEGER NOT NULL,
  next     INTEGER NOT NULL,
  paused   INTEGER NOT NULL,
  state    BLOB,
  PRIMARY KEY (workflow, name)
) WITHOUT ROWID;
