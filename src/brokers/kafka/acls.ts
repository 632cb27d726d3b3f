import kafkajs, { type AclEntry, type AclFilter as KafkaAclFilter } from 'kafkajs'
import { RelayError } from '../../core/errors.js'
import type { Acl, AclFilter } from '../operator.js'

const { AclOperationTypes, AclPermissionTypes, AclResourceTypes, ResourcePatternTypes } = kafkajs

/** The words of Kafka's own tools. */
const OPERATIONS = {
  all: AclOperationTypes.ALL,
  read: AclOperationTypes.READ,
  write: AclOperationTypes.WRITE,
  create: AclOperationTypes.CREATE,
  delete: AclOperationTypes.DELETE,
  alter: AclOperationTypes.ALTER,
  describe: AclOperationTypes.DESCRIBE,
  'cluster-action': AclOperationTypes.CLUSTER_ACTION,
  'describe-configs': AclOperationTypes.DESCRIBE_CONFIGS,
  'alter-configs': AclOperationTypes.ALTER_CONFIGS,
  'idempotent-write': AclOperationTypes.IDEMPOTENT_WRITE,
} as const

const PERMISSIONS = { allow: AclPermissionTypes.ALLOW, deny: AclPermissionTypes.DENY } as const

const RESOURCES = {
  topic: AclResourceTypes.TOPIC,
  group: AclResourceTypes.GROUP,
  cluster: AclResourceTypes.CLUSTER,
  'transactional-id': AclResourceTypes.TRANSACTIONAL_ID,
  'delegation-token': AclResourceTypes.DELEGATION_TOKEN,
} as const

const PATTERNS = { literal: ResourcePatternTypes.LITERAL, prefixed: ResourcePatternTypes.PREFIXED } as const

/** @throws RelayError INPUT_INVALID naming the words there are, as does `filterOf` */
export function entryOf(acl: Acl): AclEntry {
  const { principal, host, resourceName } = acl
  if (!/^[^:\s]+:.+$/.test(principal)) {
    throw new RelayError('INPUT_INVALID', `principal "${principal}" has no type: write it like User:alice`)
  }
  return {
    principal,
    host,
    resourceName,
    operation: numberOf('operation', acl.operation, OPERATIONS),
    permissionType: numberOf('permission', acl.permission, PERMISSIONS),
    resourceType: numberOf('resource type', acl.resourceType, RESOURCES),
    resourcePatternType: numberOf('pattern', acl.pattern, PATTERNS),
  }
}

export function filterOf(filter: AclFilter): KafkaAclFilter {
  const { principal, host, resourceName, operation, permission, resourceType, pattern } = filter
  return {
    ...(principal !== undefined && { principal }),
    ...(host !== undefined && { host }),
    ...(resourceName !== undefined && { resourceName }),
    operation: operation === undefined ? AclOperationTypes.ANY : numberOf('operation', operation, OPERATIONS),
    permissionType:
      permission === undefined ? AclPermissionTypes.ANY : numberOf('permission', permission, PERMISSIONS),
    resourceType:
      resourceType === undefined ? AclResourceTypes.ANY : numberOf('resource type', resourceType, RESOURCES),
    resourcePatternType:
      pattern === undefined ? ResourcePatternTypes.ANY : numberOf('pattern', pattern, PATTERNS),
  }
}

export function aclOf(entry: AclEntry): Acl {
  const { principal, host, resourceName } = entry
  return {
    principal,
    host,
    resourceName,
    operation: wordOf(entry.operation, OPERATIONS),
    permission: wordOf(entry.permissionType, PERMISSIONS),
    resourceType: wordOf(entry.resourceType, RESOURCES),
    pattern: wordOf(entry.resourcePatternType, PATTERNS),
  }
}

function numberOf<Code>(what: string, word: string, words: Readonly<Record<string, Code>>): Code {
  const code = Object.entries(words).find(([known]) => known === word)?.[1]
  if (code !== undefined) return code
  throw new RelayError(
    'INPUT_INVALID',
    `${what} "${word}" is unknown: use one of ${Object.keys(words).join(', ')}`,
  )
}

/** Brokers may know more than this program: what has no word here is shown as its number. */
function wordOf(code: number, words: Readonly<Record<string, number>>): string {
  return Object.entries(words).find(([, known]) => known === code)?.[0] ?? String(code)
}
