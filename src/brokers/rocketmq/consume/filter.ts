import { RelayError } from '../../../core/errors.js'
import type { MessageFilter } from '../../subscription.js'

/** What a member tells brokers about the messages it wants, in the words of the remoting protocol. */
export interface SubscriptionData {
  topic: string
  subString: string
  tagsSet: string[]
  codeSet: number[]
  subVersion: number
  expressionType: 'TAG' | 'SQL92'
  classFilterMode: false
}

const ALL = '*'

/** @throws RelayError INPUT_INVALID for a filter that could never match, or not what it says. */
export function checkFilter(topic: string, filter: MessageFilter | undefined): void {
  if (filter === undefined) return
  if ('sql' in filter) {
    if (filter.sql.trim() !== '') return
    throw invalid(topic, 'its SQL expression is empty: leave the filter out to get all messages')
  }
  if (filter.tags.length === 0) throw invalid(topic, 'it names no tag: leave it out to get all messages')
  for (const tag of filter.tags) {
    if (tag.trim() === tag && tag !== '' && tag !== ALL && !tag.includes('||')) continue
    throw invalid(
      topic,
      `tag ${JSON.stringify(tag)} is not one tag: give each by itself, without spaces around`,
    )
  }
}

/** @param version grows with every change; brokers heed the newest. */
export function subscriptionData(
  topic: string,
  filter: MessageFilter | undefined,
  version: number,
): SubscriptionData {
  const tags = filter && 'tags' in filter ? filter.tags : []
  return {
    topic,
    subString: expressionOf(filter),
    tagsSet: tags,
    codeSet: tags.map(hashCode),
    subVersion: version,
    expressionType: filter && 'sql' in filter ? 'SQL92' : 'TAG',
    classFilterMode: false,
  }
}

export function expressionOf(filter: MessageFilter | undefined): string {
  if (filter === undefined) return ALL
  return 'sql' in filter ? filter.sql : filter.tags.join('||')
}

/** Brokers compare hashes of tags only, so that a message of another tag with the same hash comes through. */
export function hasWantedTag(filter: MessageFilter | undefined, tag: string | undefined): boolean {
  if (filter === undefined || 'sql' in filter) return true
  return tag !== undefined && filter.tags.includes(tag)
}

/** java.lang.String.hashCode */
function hashCode(text: string): number {
  let hash = 0
  for (let i = 0; i < text.length; i++) hash = (31 * hash + text.charCodeAt(i)) | 0
  return hash
}

function invalid(topic: string, problem: string): RelayError {
  return new RelayError('INPUT_INVALID', `the filter of topic "${topic}" cannot be used: ${problem}`)
}
