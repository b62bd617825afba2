-- Personas that stand for a respondent of an imported survey (`personas: respondents` in a scenario). The respondent is
-- named here and nowhere else: no export, no id and no key is made from it.
ALTER TABLE personas ADD COLUMN education TEXT;
CREATE TABLE persona_respondents (
  persona_id TEXT PRIMARY KEY REFERENCES personas (id),
  survey_id TEXT NOT NULL,
  country TEXT NOT NULL,
  number INTEGER NOT NULL,
  FOREIGN KEY (survey_id, country, number) REFERENCES respondents (survey_id, country, number)
) WITHOUT ROWID;
CREATE INDEX persona_respondents_who ON persona_respondents (survey_id, country, number);

-- What the draws of respondents, and the keys of their dialogues, are mixed with beside the run's seed: who has the
-- survey's file, the program and the seed, but not this database, can't draw the same people. Random, unlike all else;
-- an import of respondents makes it, and this for those that are here already.
CREATE TABLE secrets (name TEXT PRIMARY KEY, value TEXT NOT NULL);
INSERT INTO secrets (name, value)
SELECT 'respondents', lower(hex(randomblob(16))) WHERE EXISTS (SELECT 1 FROM respondents);
