import type { Culture, Persona } from '../agents/types.ts';
import {
  dialoguePromptName,
  loadDialoguePrompts,
  type DialoguePrompts,
  type PromptFile,
  type PromptSet,
} from '../dialogue/prompts.ts';
import { educationPromptName, loadEducationPrompts, type EducationPrompts } from '../dialogue/education.ts';
import { loadReaderPrompts, readerPromptName, type ReaderPrompts } from '../dialogue/reader-prompts.ts';
import type { ReaderSetting } from '../dialogue/reader.ts';
import type { Dialogue, Pairing, ProtocolName, SpeakerRole, TopicWords } from '../dialogue/types.ts';
import { gatePromptName, loadGatePrompts, type GatePrompts } from '../refinement/gate.ts';
import { loadRefinementPrompts, type RefinementPrompts } from '../refinement/prompts.ts';
import { seatsOf, type DialogueRow } from '../store/dialogues.ts';
import type { Reader } from '../store/store.ts';
import { cellKey } from '../ids.ts';
import { countryName, statementIn, type SurveyTexts } from '../survey/texts.ts';
import type { Survey, Topic } from '../survey/types.ts';
import type { Scenario } from './scenario.ts';

/** Everything that dialogues are staged with: figures, words and prompts, loaded once a run. */
export interface Props {
  scenario: Scenario;
  seed: number;
  survey: Survey;
  topics: readonly Topic[];
  cultures: ReadonlyMap<string, Culture>;
  /** By language. */
  texts: ReadonlyMap<string, SurveyTexts>;
  dialoguePrompts: ReadonlyMap<string, DialoguePrompts>;
  refinementPrompts: RefinementPrompts;
  readerPrompts: ReaderPrompts;
  /** How a persona's education is told, where personas have one. */
  educationPrompts: EducationPrompts | null;
  /** Of the dialogue gate, where it is on. */
  gatePrompts: GatePrompts | null;
  promptFiles: readonly PromptFile[];
}

/** Loads the prompts of some languages and of the refinement; `stored` holds the texts that a resumed run keeps. */
export function loadPrompts(
  languages: readonly string[],
  set: PromptSet,
  stored: ReadonlyMap<string, string>,
  { educated, gated }: { educated: boolean; gated: boolean },
): Pick<
  Props,
  | 'dialoguePrompts'
  | 'refinementPrompts'
  | 'readerPrompts'
  | 'educationPrompts'
  | 'gatePrompts'
  | 'promptFiles'
> {
  const dialogue = languages.map((language) => ({
    language,
    ...loadDialoguePrompts(language, set, stored.get(dialoguePromptName(language, set))),
  }));
  const refinement = loadRefinementPrompts(stored.get('refinement.yaml'));
  const reader = loadReaderPrompts(stored.get(readerPromptName));
  // The brief prompts tell no age either.
  const education =
    educated && set === 'standard' ? loadEducationPrompts(stored.get(educationPromptName)) : null;
  const gate = gated ? loadGatePrompts(stored.get(gatePromptName)) : null;
  return {
    educationPrompts: education?.prompts ?? null,
    gatePrompts: gate?.prompts ?? null,
    dialoguePrompts: new Map(dialogue.map(({ language, prompts }) => [language, prompts])),
    refinementPrompts: refinement.prompts,
    readerPrompts: reader.prompts,
    promptFiles: [
      ...dialogue.map(({ file }) => file),
      refinement.file,
      reader.file,
      ...(education ? [education.file] : []),
      ...(gate ? [gate.file] : []),
    ],
  };
}

const regions = new WeakMap<Props, Map<string, string>>();

/** ISO alpha-2 codes by alpha-3, from all cultures of the run. */
function regionOf(props: Props, country: string): string {
  let known = regions.get(props);
  if (!known) {
    known = new Map(
      [...props.cultures.values()].flatMap((culture) =>
        culture.countries.map(({ code, region }) => [code, region] as const),
      ),
    );
    regions.set(props, known);
  }
  return known.get(country) ?? country;
}

/** A stored dialogue with all that its step needs. */
export async function stageDialogue(read: Reader, props: Props, row: DialogueRow): Promise<Dialogue> {
  return buildDialogue(props, row, await seatsOf(read, row));
}

/** A planned dialogue with all that its step needs. */
export function buildDialogue(
  props: Props,
  row: Omit<DialogueRow, 'status' | 'end_reason'>,
  seats: readonly { role: SpeakerRole; persona: Persona | null }[],
): Dialogue {
  const { scenario, survey } = props;
  const topic = survey.topics.get(row.topic_id) as Topic;
  return {
    id: row.id,
    key: row.key,
    runId: row.run_id,
    topic,
    protocol: row.protocol as ProtocolName,
    pairing: row.pairing as Pairing,
    language: row.language,
    turnCount: row.turn_count,
    participants: seats.map(({ role, persona }, seat) => ({
      seat,
      role,
      persona,
      country: persona ? countryName(regionOf(props, persona.country), row.language) : '',
      scale:
        persona && persona.stances.has(topic.id)
          ? (survey.cells.get(cellKey(topic.id, persona.country))?.scale ?? null)
          : null,
    })),
    words: wordsIn(props.texts.get(row.language) as SurveyTexts, topic),
    prompts: props.dialoguePrompts.get(row.language) as DialoguePrompts,
    education: props.educationPrompts?.words[row.language] ?? null,
    limits: {
      sentences: scenario.sentences,
      maxTokens: scenario.max_tokens.turn,
      temperature: scenario.temperature,
      retries: scenario.role_retries,
    },
    replicate: [props.seed, row.ordinal],
    attempt: row.attempt,
    check: scenario.readings.ask_again ? readerSetting(props) : null,
  };
}

/** What the reader is asked with. */
export const readerSetting = ({ scenario, readerPrompts }: Props): ReaderSetting => ({
  prompts: readerPrompts,
  maxTokens: scenario.max_tokens.read,
});

const words = new WeakMap<SurveyTexts, Map<string, TopicWords>>();

function wordsIn(texts: SurveyTexts, topic: Topic): TopicWords {
  const known = words.get(texts) ?? new Map<string, TopicWords>();
  words.set(texts, known);
  let found = known.get(topic.id);
  if (!found) {
    found = { statement: statementIn(texts, topic), labels: texts.labels };
    known.set(topic.id, found);
  }
  return found;
}
