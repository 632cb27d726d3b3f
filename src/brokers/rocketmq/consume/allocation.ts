/**
 * The part of `queues` that is `member`'s, as RocketMQ's own clients share them by default: each member works it out
 * for itself, so all of a group must come to the same result.
 * @param queues in the order all members have them in
 * @param members in any order, `member` among them
 */
export function allocateAveragely<Q>(queues: readonly Q[], members: readonly string[], member: string): Q[] {
  const index = [...members].sort().indexOf(member)
  const rest = queues.length % members.length
  const share = Math.floor(queues.length / members.length)
  const start = index * share + Math.min(index, rest)
  return queues.slice(start, start + share + (index < rest ? 1 : 0))
}
