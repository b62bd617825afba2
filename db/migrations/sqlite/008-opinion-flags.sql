-- What the extractor says of an opinion beside its words, null where its prompt did not ask (runs from before): whether it
-- brings in what the statement does not speak of, and its flags as a JSON list (hateful, personal-data, stereotype).
-- `alignment` is how closely its quote stands in the turn (1: in those words).
ALTER TABLE opinions ADD COLUMN alignment REAL;
ALTER TABLE opinions ADD COLUMN extends_topic INTEGER;
ALTER TABLE opinions ADD COLUMN flags TEXT;

-- What people say of an opinion wins over all stages. `text` is what an edit puts in the place of its words. A review is
-- of the words: it holds for each opinion of the same dialogue and turn with the same text, whichever refinement made it.
-- `opinions.edited` is, like status and reason, a cache of the decision.
ALTER TABLE reviews ADD COLUMN text TEXT;
ALTER TABLE opinions ADD COLUMN edited TEXT;
CREATE INDEX reviews_at ON reviews (at);

-- What a stage found of a turn as a whole; `understands`: its speaker shows understanding of another culture.
CREATE TABLE turn_marks (
  stage_run_id TEXT NOT NULL REFERENCES stage_runs (id),
  dialogue_id TEXT NOT NULL REFERENCES dialogues (id),
  turn_idx INTEGER NOT NULL,
  mark TEXT NOT NULL,
  PRIMARY KEY (stage_run_id, dialogue_id, turn_idx, mark)
) WITHOUT ROWID;
CREATE INDEX turn_marks_dialogue ON turn_marks (dialogue_id);

-- The dialogue gate: whether the talk shows values (shown, stated, absent), and whether each person is consistent.
CREATE TABLE dialogue_gates (
  stage_run_id TEXT NOT NULL REFERENCES stage_runs (id),
  dialogue_id TEXT NOT NULL REFERENCES dialogues (id),
  shown TEXT NOT NULL CHECK (shown IN ('shown', 'stated', 'absent')),
  consistent INTEGER NOT NULL,
  reason TEXT NOT NULL,
  call_id TEXT NOT NULL REFERENCES calls (id),
  PRIMARY KEY (stage_run_id, dialogue_id)
) WITHOUT ROWID;
CREATE INDEX dialogue_gates_dialogue ON dialogue_gates (dialogue_id);

-- One row a sample, from its text back to its survey cell: `opinion` as it is exported, `extracted` as the model gave it.
DROP VIEW v_samples;
CREATE VIEW v_samples AS
SELECT s.id AS sample_id, s.run_id, s.culture, s.language, s.split, s.kind, s.status,
  o.id AS opinion_id, coalesce(o.edited, o.text) AS opinion, o.quote, o.rewrite_of,
  o.dialogue_id, o.turn_idx, t.text AS turn_text, t.call_id, c.provider, c.model, c.scripted,
  p.id AS persona_id, p.name AS persona, p.country, d.topic_id, tp.theme, tp.statement,
  st.code AS stance_code, sc.label AS stance_label, ce.n AS respondents, ct.valid_n, ct.missing_n,
  o.text AS extracted, o.class, o.subtype, o.flags
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
