import type { Basis, Respondent, SurveyKind } from '../survey/import/types.ts';

/** The tables as kysely sees them; the words are those of db/migrations. */
export interface Database {
  runs: {
    id: string;
    scenario: string;
    fingerprint: string;
    status: 'running' | 'finished' | 'stopped' | 'failed';
    stop_reason: string | null;
    phase: string;
    seed: number;
    config: string;
    models: string;
    scripted: number;
    holder: string | null;
    created_at: number;
    updated_at: number;
    finished_at: number | null;
    result: string | null;
  };
  prompts: { hash: string; name: string; version: number; text: string };
  run_prompts: { run_id: string; prompt_hash: string };
  omissions: { run_id: string; culture: string; topic_id: string; reason: string };
  topics: { id: string; survey: string; theme: string; statement: string; scale: string | null };
  topic_texts: { topic_id: string; language: string; text: string; source: string; reviewed: number };
  scales: { scale: string; code: number; label: string; agreement: number | null };
  cells: {
    topic_id: string;
    country: string;
    scale: string;
    code: number;
    n: number;
    weighted_n: number | null;
  };
  cell_totals: { topic_id: string; country: string; valid_n: number; missing_n: number };
  surveys: {
    id: string;
    name: string;
    kind: SurveyKind;
    basis: Basis;
    file: string;
    sha256: string;
    ordered: number;
    imported_at: number;
    respondents: number | null;
    items: string;
    notes: string;
  };
  respondents: Respondent & { survey_id: string };
  /** A temporary table of the writing connection. */
  incoming_respondents: Respondent;
  personas: {
    id: string;
    key: string;
    run_id: string;
    culture: string;
    country: string;
    name: string;
    age_band: string;
    gender: string;
    education: string | null;
  };
  persona_respondents: { persona_id: string; survey_id: string; country: string; number: number };
  secrets: { name: string; value: string };
  stances: { persona_id: string; topic_id: string; code: number };
  dialogues: {
    id: string;
    key: string;
    run_id: string;
    topic_id: string;
    arm: string;
    protocol: string;
    pairing: string;
    language: string;
    turn_count: number;
    ordinal: number;
    round: number;
    attempt: number;
    status: 'planned' | 'finished' | 'flagged' | 'failed';
    end_reason: string | null;
  };
  participants: { dialogue_id: string; seat: number; persona_id: string | null; role: string };
  messages: { hash: string; role: string; text: string };
  calls: {
    id: string;
    key: string;
    provider: string;
    model: string;
    scripted: number;
    status: string;
    request: string;
    reply: string | null;
    input_tokens: number;
    cached_input_tokens: number;
    output_tokens: number;
    cost_usd: number | null;
    ms: number;
    created_at: number;
    probabilities: string | null;
  };
  tries: {
    call_id: string;
    n: number;
    status: string;
    input_tokens: number | null;
    cached_input_tokens: number | null;
    output_tokens: number | null;
    cost_usd: number | null;
    ms: number;
    error: string | null;
    held_usd: number | null;
  };
  call_uses: {
    run_id: string;
    call_id: string;
    stage: string;
    role: string;
    subject: string;
    reused: number;
  };
  turns: {
    dialogue_id: string;
    idx: number;
    seat: number;
    persona_id: string | null;
    kind: string;
    text: string;
    call_id: string;
    flags: string;
  };
  readings: {
    dialogue_id: string;
    persona_id: string;
    idx: number;
    moment: string;
    stage_run_id: string | null;
    code: number | null;
    p: number | null;
    call_id: string;
  };
  stage_runs: {
    id: string;
    run_id: string;
    stage: string;
    fingerprint: string;
    settings: string;
    input: string | null;
    status: 'running' | 'finished';
    current: number;
    created_at: number;
  };
  stage_dialogues: { stage_run_id: string; dialogue_id: string; note: string | null };
  opinions: {
    id: string;
    key: string;
    dialogue_id: string;
    turn_idx: number;
    persona_id: string;
    stage_run_id: string;
    text: string;
    quote: string | null;
    quote_start: number | null;
    quote_end: number | null;
    class: string | null;
    subtype: string | null;
    polarity: string;
    rewrite_of: string | null;
    call_id: string;
    status: string;
    reason: string | null;
  };
  opinion_readings: {
    opinion_id: string;
    stage_run_id: string;
    code: number | null;
    p: number | null;
    call_id: string;
  };
  verdicts: { opinion_id: string; stage_run_id: string; verdict: string; model: string; call_id: string };
  clusters: { id: string; stage_run_id: string };
  cluster_members: {
    cluster_id: string;
    opinion_id: string;
    method: string;
    similarity: number;
    representative: number;
  };
  selections: { stage_run_id: string; opinion_id: string; selected: number; reason: string | null };
  reviews: { subject: string; mark: string; note: string | null; reviewer: string; at: number };
  samples: {
    id: string;
    run_id: string;
    opinion_id: string | null;
    kind: string;
    culture: string;
    language: string;
    split: string;
    status: string;
    tokens: number | null;
  };
  search_documents: { doc: number; kind: string; subject: string; run_id: string };
}
