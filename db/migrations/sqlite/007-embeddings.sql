-- Vectors (since the first schema: unit vectors, float32 little-endian, by embedder and SHA-256 of the text) say which call
-- made them. An embedder is its provider and model in words; vectors of two are never compared.
ALTER TABLE embeddings ADD COLUMN call_id TEXT REFERENCES calls (id);
CREATE INDEX embeddings_call ON embeddings (call_id);

-- Other cultures in which an opinion like the representative is held on the same topic and side, as a JSON list: told,
-- never merged.
ALTER TABLE clusters ADD COLUMN also_in TEXT NOT NULL DEFAULT '[]';
