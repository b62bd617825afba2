-- (Key columns come first in WITHOUT ROWID tables: integrity_check of SQLite 3.40 and older reports NULLs otherwise.)
-- Times are integer milliseconds since 1970 (UTC); ids are short base32 hashes of their parent's id and a natural key;
-- `key` is the same without the run, and is what orders, splits and rounds go by.

CREATE TABLE runs (
  id TEXT PRIMARY KEY,
  scenario TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('running', 'finished', 'stopped', 'failed')),
  stop_reason TEXT,
  phase TEXT NOT NULL,
  seed INTEGER NOT NULL,
  config TEXT NOT NULL,
  models TEXT NOT NULL,
  scripted INTEGER NOT NULL,
  holder TEXT,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  finished_at INTEGER,
  result TEXT
);
CREATE INDEX runs_fingerprint ON runs (fingerprint);

-- The prompt files that runs used, by content.
CREATE TABLE prompts (hash TEXT PRIMARY KEY, name TEXT NOT NULL, version INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE run_prompts (run_id TEXT NOT NULL REFERENCES runs (id), prompt_hash TEXT NOT NULL REFERENCES prompts (hash), PRIMARY KEY (run_id, prompt_hash));

-- What a run left out, and why: a culture that nobody was asked in, for one.
CREATE TABLE omissions (run_id TEXT NOT NULL REFERENCES runs (id), culture TEXT NOT NULL, topic_id TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (run_id, culture, topic_id));

CREATE TABLE topics (id TEXT PRIMARY KEY, survey TEXT NOT NULL, theme TEXT NOT NULL, statement TEXT NOT NULL, scale TEXT);
CREATE TABLE topic_texts (topic_id TEXT NOT NULL REFERENCES topics (id), language TEXT NOT NULL, text TEXT NOT NULL, source TEXT NOT NULL, reviewed INTEGER NOT NULL, PRIMARY KEY (topic_id, language));
CREATE TABLE scales (scale TEXT NOT NULL, code INTEGER NOT NULL, label TEXT NOT NULL, agreement REAL NOT NULL, PRIMARY KEY (scale, code));
-- Respondents a cell and answer, unweighted; weighted_n once the official file was loaded.
CREATE TABLE cells (topic_id TEXT NOT NULL REFERENCES topics (id), country TEXT NOT NULL, scale TEXT NOT NULL, code INTEGER NOT NULL, n REAL NOT NULL, weighted_n REAL, PRIMARY KEY (topic_id, country, code));
CREATE TABLE cell_totals (topic_id TEXT NOT NULL REFERENCES topics (id), country TEXT NOT NULL, valid_n REAL NOT NULL, missing_n REAL NOT NULL, PRIMARY KEY (topic_id, country));

CREATE TABLE personas (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  culture TEXT NOT NULL,
  country TEXT NOT NULL,
  name TEXT NOT NULL,
  age_band TEXT NOT NULL,
  gender TEXT NOT NULL
);
CREATE INDEX personas_run ON personas (run_id, culture);
CREATE TABLE stances (persona_id TEXT NOT NULL REFERENCES personas (id), topic_id TEXT NOT NULL REFERENCES topics (id), code INTEGER NOT NULL, PRIMARY KEY (persona_id, topic_id)) WITHOUT ROWID;

CREATE TABLE dialogues (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  run_id TEXT NOT NULL REFERENCES runs (id),
  topic_id TEXT NOT NULL REFERENCES topics (id),
  arm TEXT NOT NULL,
  protocol TEXT NOT NULL,
  pairing TEXT NOT NULL,
  language TEXT NOT NULL,
  turn_count INTEGER NOT NULL,
  ordinal INTEGER NOT NULL,
  round INTEGER NOT NULL,
  attempt INTEGER NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('planned', 'finished', 'flagged', 'failed')),
  end_reason TEXT
);
CREATE INDEX dialogues_run ON dialogues (run_id, status, key);
CREATE TABLE participants (dialogue_id TEXT NOT NULL REFERENCES dialogues (id), seat INTEGER NOT NULL, persona_id TEXT REFERENCES personas (id), role TEXT NOT NULL, PRIMARY KEY (dialogue_id, seat)) WITHOUT ROWID;
CREATE INDEX participants_persona ON participants (persona_id);

-- Each text that was sent, once. (Tables with long texts keep their rowid: hashed keys would leave their pages a third empty.)
CREATE TABLE messages (hash TEXT PRIMARY KEY, role TEXT NOT NULL, text TEXT NOT NULL);
CREATE TABLE calls (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  provider TEXT NOT NULL,
  model TEXT NOT NULL,
  scripted INTEGER NOT NULL,
  status TEXT NOT NULL,
  request TEXT NOT NULL,
  reply TEXT,
  input_tokens INTEGER NOT NULL,
  cached_input_tokens INTEGER NOT NULL,
  output_tokens INTEGER NOT NULL,
  cost_usd REAL,
  ms INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE UNIQUE INDEX calls_ok ON calls (key) WHERE status = 'ok';
CREATE INDEX calls_key ON calls (key);
CREATE TABLE tries (
  call_id TEXT NOT NULL REFERENCES calls (id),
  n INTEGER NOT NULL,
  status TEXT NOT NULL,
  input_tokens INTEGER,
  cached_input_tokens INTEGER,
  output_tokens INTEGER,
  cost_usd REAL,
  ms INTEGER NOT NULL,
  error TEXT,
  PRIMARY KEY (call_id, n)
) WITHOUT ROWID;
CREATE TABLE call_uses (
  run_id TEXT NOT NULL REFERENCES runs (id),
  call_id TEXT NOT NULL REFERENCES calls (id),
  subject TEXT NOT NULL,
  stage TEXT NOT NULL,
  role TEXT NOT NULL,
  reused INTEGER NOT NULL,
  PRIMARY KEY (run_id, call_id, subject)
) WITHOUT ROWID;
CREATE INDEX call_uses_call ON call_uses (call_id);

CREATE TABLE turns (
  dialogue_id TEXT NOT NULL REFERENCES dialogues (id),
  idx INTEGER NOT NULL,
  seat INTEGER NOT NULL,
  persona_id TEXT REFERENCES personas (id),
  kind TEXT NOT NULL,
  text TEXT NOT NULL,
  call_id TEXT NOT NULL REFERENCES calls (id),
  flags TEXT NOT NULL,
  PRIMARY KEY (dialogue_id, idx)
);
CREATE INDEX turns_call ON turns (call_id);
-- The stance ledger.
CREATE TABLE readings (
  dialogue_id TEXT NOT NULL REFERENCES dialogues (id),
  persona_id TEXT NOT NULL REFERENCES personas (id),
  idx INTEGER NOT NULL,
  moment TEXT NOT NULL,
  code INTEGER,
  call_id TEXT NOT NULL REFERENCES calls (id),
  PRIMARY KEY (dialogue_id, persona_id, idx, moment)
) WITHOUT ROWID;

CREATE TABLE stage_runs (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  stage TEXT NOT NULL,
  fingerprint TEXT NOT NULL,
  settings TEXT NOT NULL,
  input TEXT REFERENCES stage_runs (id),
  status TEXT NOT NULL CHECK (status IN ('running', 'finished')),
  current INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE INDEX stage_runs_run ON stage_runs (run_id, stage, current);
-- Which dialogues a stage is done with: a resume goes on with the others.
CREATE TABLE stage_dialogues (stage_run_id TEXT NOT NULL REFERENCES stage_runs (id), dialogue_id TEXT NOT NULL REFERENCES dialogues (id), note TEXT, PRIMARY KEY (stage_run_id, dialogue_id)) WITHOUT ROWID;

CREATE TABLE opinions (
  id TEXT PRIMARY KEY,
  key TEXT NOT NULL,
  dialogue_id TEXT NOT NULL REFERENCES dialogues (id),
  turn_idx INTEGER NOT NULL,
  persona_id TEXT NOT NULL REFERENCES personas (id),
  stage_run_id TEXT NOT NULL REFERENCES stage_runs (id),
  text TEXT NOT NULL,
  quote TEXT,
  quote_start INTEGER,
  quote_end INTEGER,
  class TEXT,
  subtype TEXT,
  polarity TEXT NOT NULL,
  rewrite_of TEXT REFERENCES opinions (id),
  call_id TEXT NOT NULL REFERENCES calls (id),
  status TEXT NOT NULL,
  reason TEXT
);
CREATE INDEX opinions_dialogue ON opinions (dialogue_id, turn_idx);
CREATE INDEX opinions_stage ON opinions (stage_run_id, key);
CREATE INDEX opinions_rewrite ON opinions (rewrite_of) WHERE rewrite_of IS NOT NULL;
CREATE TABLE verdicts (
  opinion_id TEXT NOT NULL REFERENCES opinions (id),
  stage_run_id TEXT NOT NULL REFERENCES stage_runs (id),
  call_id TEXT NOT NULL REFERENCES calls (id),
  verdict TEXT NOT NULL,
  model TEXT NOT NULL,
  PRIMARY KEY (opinion_id, stage_run_id, call_id)
) WITHOUT ROWID;
CREATE TABLE clusters (id TEXT PRIMARY KEY, stage_run_id TEXT NOT NULL REFERENCES stage_runs (id));
CREATE INDEX clusters_stage ON clusters (stage_run_id);
CREATE TABLE cluster_members (
  cluster_id TEXT NOT NULL REFERENCES clusters (id),
  opinion_id TEXT NOT NULL REFERENCES opinions (id),
  method TEXT NOT NULL,
  similarity REAL NOT NULL,
  representative INTEGER NOT NULL,
  PRIMARY KEY (cluster_id, opinion_id)
) WITHOUT ROWID;
CREATE INDEX cluster_members_opinion ON cluster_members (opinion_id);
CREATE TABLE selections (stage_run_id TEXT NOT NULL REFERENCES stage_runs (id), opinion_id TEXT NOT NULL REFERENCES opinions (id), selected INTEGER NOT NULL, reason TEXT, PRIMARY KEY (stage_run_id, opinion_id)) WITHOUT ROWID;
CREATE TABLE reviews (subject TEXT NOT NULL, mark TEXT NOT NULL, note TEXT, reviewer TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY (subject, reviewer, at));

CREATE TABLE samples (
  id TEXT PRIMARY KEY,
  run_id TEXT NOT NULL REFERENCES runs (id),
  opinion_id TEXT REFERENCES opinions (id),
  kind TEXT NOT NULL,
  culture TEXT NOT NULL,
  language TEXT NOT NULL,
  split TEXT NOT NULL,
  status TEXT NOT NULL,
  tokens INTEGER
);
CREATE INDEX samples_run ON samples (run_id, culture);
CREATE INDEX samples_opinion ON samples (opinion_id);
CREATE TABLE embeddings (model TEXT NOT NULL, hash TEXT NOT NULL, dim INTEGER NOT NULL, vector BLOB NOT NULL, PRIMARY KEY (model, hash)) WITHOUT ROWID;

-- Full text: the tokens that one function makes for index and query. `search` keeps no text of its own.
CREATE TABLE search_documents (doc INTEGER PRIMARY KEY, kind TEXT NOT NULL, subject TEXT NOT NULL, run_id TEXT NOT NULL, UNIQUE (kind, subject));
CREATE VIRTUAL TABLE search USING fts5 (tokens, content = '', tokenize = "unicode61 remove_diacritics 0 categories 'L* N* Co M*'");

-- One row a sample, from its text back to its survey cell.
CREATE VIEW v_samples AS
SELECT s.id AS sample_id, s.run_id, s.culture, s.language, s.split, s.kind, s.status,
  o.id AS opinion_id, o.text AS opinion, o.quote, o.rewrite_of,
  o.dialogue_id, o.turn_idx, t.text AS turn_text, t.call_id, c.provider, c.model, c.scripted,
  p.id AS persona_id, p.name AS persona, p.country, d.topic_id, tp.theme, tp.statement,
  st.code AS stance_code, sc.label AS stance_label, ce.n AS respondents, ct.valid_n, ct.missing_n
FROM samples s
JOIN opinions o ON o.id = s.opinion_id
JOIN dialogues d ON d.id = o.dialogue_id
JOIN turns t ON t.dialogue_id = o.dialogue_id AND t.idx = o.turn_idx
JOIN calls c ON c.id = t.call_id
JOIN personas p ON p.id = o.persona_id
JOIN topics tp ON tp.id = d.topic_id
LEFT JOIN stances st ON st.persona_id = p.id AND st.topic_id = d.topic_id
LEFT JOIN cells ce ON ce.topic_id = d.topic_id AND ce.country = p.country AND ce.code = st.code
LEFT JOIN scales sc ON sc.scale = ce.scale AND sc.code = st.code
LEFT JOIN cell_totals ct ON ct.topic_id = d.topic_id AND ct.country = p.country;

-- How many opinions of a run and culture came to which end, and why (of the stages that stand).
CREATE VIEW v_funnel AS
SELECT d.run_id, p.culture, o.status, o.reason, count(*) AS opinions
FROM opinions o JOIN stage_runs r ON r.id = o.stage_run_id AND r.current = 1 JOIN dialogues d ON d.id = o.dialogue_id JOIN personas p ON p.id = o.persona_id
GROUP BY d.run_id, p.culture, o.status, o.reason;

-- What a run paid, by stage, role and model; reused calls cost nothing again.
CREATE VIEW v_costs AS
SELECT u.run_id, u.stage, u.role, c.provider, c.model,
  sum(1 - u.reused) AS paid_calls, sum(u.reused) AS reused_calls,
  sum(CASE WHEN u.reused = 0 THEN c.input_tokens ELSE 0 END) AS input_tokens,
  sum(CASE WHEN u.reused = 0 THEN c.output_tokens ELSE 0 END) AS output_tokens,
  CASE WHEN sum(CASE WHEN u.reused = 0 AND c.cost_usd IS NULL THEN 1 ELSE 0 END) > 0 THEN NULL
    ELSE sum(CASE WHEN u.reused = 0 THEN c.cost_usd ELSE 0 END) END AS cost_usd
FROM call_uses u JOIN calls c ON c.id = u.call_id
GROUP BY u.run_id, u.stage, u.role, c.provider, c.model;

-- Delegates' dialogues and accepted opinions a run, culture and topic; the ones left out are there with their reason.
CREATE VIEW v_coverage AS
SELECT d.run_id, p.culture, d.topic_id, count(DISTINCT d.id) AS dialogues,
  count(DISTINCT CASE WHEN d.status = 'finished' THEN d.id END) AS finished,
  (SELECT count(*) FROM opinions o JOIN dialogues d2 ON d2.id = o.dialogue_id JOIN personas p2 ON p2.id = o.persona_id
    WHERE d2.run_id = d.run_id AND d2.topic_id = d.topic_id AND p2.culture = p.culture AND o.status = 'accepted') AS accepted,
  NULL AS left_out
FROM dialogues d JOIN participants q ON q.dialogue_id = d.id AND q.role = 'delegate' JOIN personas p ON p.id = q.persona_id
GROUP BY d.run_id, p.culture, d.topic_id
UNION ALL
SELECT run_id, culture, topic_id, 0, 0, 0, reason FROM omissions;

-- Every call with what it was for; `request` lists the hashes of its messages.
CREATE VIEW v_calls AS
SELECT u.run_id, u.stage, u.role, u.subject, u.reused, c.*
FROM call_uses u JOIN calls c ON c.id = u.call_id;
