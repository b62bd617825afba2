import { uniform } from '../ids.ts';

/**
 * The topics whose rows are for testing, the same for all cultures so that no question stands in both splits. At least
 * one from three topics on, and never all; none below, where half of the topics would be missing from the training.
 */
export function testTopics(topicIds: readonly string[], share: number): Set<string> {
  if (share === 0 || topicIds.length < 3) return new Set();
  const n = Math.min(Math.max(1, Math.round(topicIds.length * share)), topicIds.length - 1);
  const order = [...topicIds].sort((a, b) => uniform('split', a) - uniform('split', b));
  return new Set(order.slice(0, n));
}
