/** `scenarios/my-scenario.yaml`. A test checks that it names every key and that the defaults it shows are the real ones. */
export const scenarioTemplate = `# yaml-language-server: $schema=./scenario.schema.json
# What a run does. Only \`cultures\` and \`topics\` are needed; a line that begins with #: shows a default.
# Check it without paying:  culturepark run my-scenario --dry-run
description: A first scenario, to edit.

# Cultures: agents/*.yaml of this folder and the shipped ones (arabic, bengali, chinese, …), or all.
cultures: [my-culture, turkish]

# Topics: ids or themes (culturepark survey list), those of the files below, names of imported surveys, or all (shipped).
topics: [phones-at-table, my-topic, summer-holidays, Q27]
topic_files: [../topics/my-topics.yaml]
# Answers by the survey's weights; needs the official file (culturepark survey import FILE).
#: weights: false
# Stances drawn topic by topic from the answers, or all answers of one of the respondents together, drawn by weight
# (docs/surveys.md); the latter needs the official file too, and 10 dialogues a cell or more.
#: personas: answers

# Dialogues for each culture and topic. The personas' answers are spread as the survey's are.
dialogues_per_cell: 2

# Who speaks when: self-guidance, free-chat, debate, panel (three cultures or more) or direct.
protocol: self-guidance
# cross-cultural: the main contact (agents/main-contact.yaml) and a delegate; in-cultural: two of one culture.
#: pairing: cross-cultural
turns: 6
# Several protocols side by side, instead of the three keys above:
# arms:
#   - { name: chat, protocol: free-chat, turns: 8 }
#   - { name: argue, protocol: debate, pairing: in-cultural, turns: 6 }
#: panel_size: 3

# english, or own: each delegate speaks the language of its culture.
#: language: english
# Sentences a turn, and output tokens a call.
#: sentences: 3
# "brief" takes short prompts that small models can follow (English only).
#: prompts: standard
#: max_tokens: { turn: 400, extract: 4000, verify: 2000, rewrite: 2000, gate: 500, read: 2000 }
#: temperature: 0.7
# How often a reply that breaks the role is asked for again.
#: role_retries: 2

# One model for all, or one a role (main_contact, delegate, moderator, extractor, verifier, reader, judge).
# Left out: OpenAI where a key or a base URL is set, else the small local model. Names: culturepark models list
# A role may be a map of what belongs to its model (docs/guide.md): its own address, temperature, top_p, limits
# (concurrency, requests_per_minute, tokens_per_minute), timeout in seconds, and a fallback, which answers what the model
# gives up on. A key is never written here: api_key_env names the environment variable that holds it.
# models:
#   default: openai:gpt-4o-mini
#   extractor: openai:gpt-4o
#   # A second judge: an opinion is kept only where both agree.
#   second_verifier: openai:gpt-4.1-mini
#   verifier: { model: openai:judge-1, base_url: 'https://llm.example.org/v1', api_key_env: MY_JUDGE_KEY, concurrency: 4 }
#   delegate: { temperature: 0.9, fallback: openai:gpt-4o }
# The delegates of a culture, and the second delegate where two of one culture talk, may have models of their own.
#   delegates: { turkish: openai:gpt-4o }

# An embedder finds opinions that say the same in other words, beside the character n-grams: openai:NAME, local:FILE.gguf,
# or a map with an address, key, limits and timeout of its own, as models have:
#   { model: openai:text-embedding-3-small, base_url: 'https://llm.example.org/v1', api_key_env: MY_KEY }
#: embedder: none

# Fixes every draw; 1 unless given.
# seed: 1

# Limits. A run that meets max_calls or max_cost (US dollars) stops and can be resumed.
#: concurrency: 16
# requests_per_minute: 500
# tokens_per_minute: 200000
# Seconds that a reply may take; give slow models more: what comes later is paid and lost.
#: reply_timeout: 300
max_calls: 2000
# max_cost: 5

# Quotas: so many accepted samples a culture, spread over the answers as the survey has them, filled by further rounds of
# dialogues, at most max_dialogues in all (twice the samples unless given).
# samples: { per_culture: 500, max_dialogues: 2000 }

refinement:
  # From this likeness on (Jaccard of character 5-grams) two opinions of one side say the same.
  threshold: 0.6
  # The same for an embedder (see embedder above: cosine), in the languages that its threshold was measured in.
  embedding_threshold: 0.8
  embedding_languages: [en]
  # Rewrite opinions that contradict the persona's answer, and let verified rewrites into the samples.
  rewrite: true
  include_rewritten: false
  # Quotes are copied by the extractor (copy), or chosen among the sentences of the talk (choose: for small models).
  quotes: copy
  # Within a quota the best opinions are taken, and among equals those unlike each other; from 0 to 1 it counts as well
  # how typical one is of its culture and of no other.
  distinctive: 0
  # Largest share of the samples that may come from one model, persona or dialogue.
  # max_share: { persona: 0.02, dialogue: 0.02 }
  # At most so many samples a culture, spread over its topics, without further rounds.
  # per_culture: 500
  # Keep what says nothing about the statement but extends the topic, as samples of their own kind (no answer is claimed).
  keep_extends: false
  # Judge whole dialogues, whether values are shown, consistently, and not merely stated (one more call a dialogue): off,
  # note (the result is shown) or drop (opinions of dialogues that fail are kept out).
  gate: off

# The stance ledger: which answer is held at which moment. A reader (one call a dialogue each) says which answer the turns
# and the grounded opinions express, from the text alone.
readings:
  turns: true
  opinions: true
  # Share of the debates whose personas also answer twice with no talk between, to compare with.
  control: 0.1
  # Read each delegate's turn as it is spoken, and ask again once where it is on the other side than its stance.
  ask_again: false

export:
  formats: [openai-chat]
  # Share of the topics whose rows are kept for testing.
  test_share: 0.1
  include_scripted: false
  # Leave out rows whose opinion is flagged so: hateful, personal-data, stereotype.
  exclude_flags: []
  # Language of system line and question: that of the dialogue, or english.
  language: dialogue
`;

/** `agents/my-culture.yaml`: a culture that the package does not ship, with survey figures behind it. */
export const cultureTemplate = `# A culture: who can speak for it. This example is Greek; make it yours. Rename the file as you like: its name without
# .yaml (small letters, digits and -) is what scenarios call it.

# The name in English, and in its own language.
name: { en: Greek, own: Ελληνικός }
# ISO 639-1. Dialogues are in English unless the scenario says \`language: own\`; that needs prompts and survey texts in
# the language: shipped are ar, bn, de, en, es, ko, pt, tr and zh.
language: el
# Where the weights below come from, for the data card.
weights_source: 'one country'
# The countries of the survey that stand for the culture. Answers are mixed by weight (any positive numbers, such as
# populations); a country that was not asked about a topic is left out there, and no answer is made up.
# Figures are shipped for ARG BGD BRA CHN DEU EGY GRC IRQ JOR KOR LBN LBY MAR MEX TUN TUR USA; for others import the
# official file (culturepark survey import FILE) or bring your own (topics/my-topics.yaml).
countries:
  - code: GRC # ISO 3166 alpha-3, as in the survey
    region: GR # ISO 3166 alpha-2: the country's name in any language comes from it
    weight: 1
    # Given names that people of that age bear there, in Latin script; a few for each, the more the better.
    names:
      female:
        18-29: [Konstantina, Anastasia, Christina, Danai]
        30-44: [Eleni, Katerina, Dimitra, Vasiliki]
        45-59: [Angeliki, Paraskevi, Stavroula, Despina]
        60+: [Eleftheria, Kalliopi, Panagiota, Chrysoula]
      male:
        18-29: [Alexandros, Stefanos, Orestis, Marios]
        30-44: [Giorgos, Dimitris, Nikos, Vasilis]
        45-59: [Kostas, Spyros, Stelios, Manolis]
        60+: [Ioannis, Evangelos, Stavros, Lefteris]
    # The same names in the culture's own script, for dialogues in its language; leave it out where that is Latin.
    names_own:
      female:
        18-29: [Κωνσταντίνα, Αναστασία, Χριστίνα, Δανάη]
        30-44: [Ελένη, Κατερίνα, Δήμητρα, Βασιλική]
        45-59: [Αγγελική, Παρασκευή, Σταυρούλα, Δέσποινα]
        60+: [Ελευθερία, Καλλιόπη, Παναγιώτα, Χρυσούλα]
      male:
        18-29: [Αλέξανδρος, Στέφανος, Ορέστης, Μάριος]
        30-44: [Γιώργος, Δημήτρης, Νίκος, Βασίλης]
        45-59: [Κώστας, Σπύρος, Στέλιος, Μανώλης]
        60+: [Ιωάννης, Ευάγγελος, Σταύρος, Λευτέρης]
`;

/** `.env.example`. Its lines are comments: an empty value would be taken for one. */
export const environmentTemplate = `# Copy this file to .env, take the # off and fill in. culturepark reads .env from the folder that it is started in.
# Keep .env to yourself: it belongs in no repository (add it to .gitignore).

# A key for OpenAI, or for the server below if it wants one. Keys of other servers stand here too, under the names that
# api_key_env gives them in a scenario.
# OPENAI_API_KEY=sk-…
# Any OpenAI-compatible server instead of OpenAI: vLLM, Ollama, llama.cpp, LM Studio, Azure.
# OPENAI_BASE_URL=http://127.0.0.1:11434/v1
# The model for every role, where no --model is given (see culturepark models list).
# CULTUREPARK_MODEL=openai:gpt-4o-mini
`;
