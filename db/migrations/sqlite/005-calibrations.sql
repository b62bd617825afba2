-- What a judge said of a labelled pair, each try once: a calibration that was interrupted goes on, and a second one pays
-- nothing. `judge` is the hash of role, provider and model, `item` that of all that was asked: prompt, statement, answer
-- and opinion. `answer` is null where the reply could not be used.
CREATE TABLE calibration_answers (
  judge TEXT NOT NULL,
  item TEXT NOT NULL,
  try INTEGER NOT NULL,
  pair TEXT NOT NULL,
  expected TEXT NOT NULL,
  answer TEXT,
  call_id TEXT NOT NULL REFERENCES calls (id),
  PRIMARY KEY (judge, item, try)
);
CREATE INDEX calibration_answers_call ON calibration_answers (call_id);

-- How far a judge can be trusted in a language. `prompt_hash` is the `prompt` in the settings of the stage that judges:
-- with another prompt or model a calibration says nothing. `source` is 'pairs' (labelled ones of ours) or 'reviews'
-- (people's marks); `classes` counts the true categories, so that chance is one in `classes`; `low` and `high` are the 95%
-- interval of the balanced accuracy. `exact` and `within_one` are the reader's: shares of the pairs whose answer was read
-- as it is, or as the next one on its scale.
CREATE TABLE calibrations (
  id TEXT PRIMARY KEY,
  role TEXT NOT NULL CHECK (role IN ('verifier', 'reader')),
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  prompt_hash TEXT NOT NULL,
  language TEXT NOT NULL,
  source TEXT NOT NULL CHECK (source IN ('pairs', 'reviews')),
  provenance TEXT NOT NULL,
  pairs_hash TEXT NOT NULL,
  n INTEGER NOT NULL,
  classes INTEGER NOT NULL,
  accuracy REAL NOT NULL,
  balanced_accuracy REAL NOT NULL,
  low REAL NOT NULL,
  high REAL NOT NULL,
  kappa REAL,
  exact REAL,
  within_one REAL,
  confusion TEXT NOT NULL,
  scripted INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX calibrations_judge ON calibrations (role, provider, model, prompt_hash, language);
