import { Value } from 'typebox/value'
import { AlertAdmin } from '../../admin/alert-admin.js'
import { alertPolicies } from '../../alerts/policies.js'
import {
  checkedPolicy,
  POLICY_DEFAULTS,
  type PolicySettings,
  parseMetric,
  parseOperator,
} from '../../alerts/policy.js'
import { SECTIONS } from '../format.js'
import { adapterNames, Dependent, type Section, type SectionContext } from '../section.js'

export function policiesSection(context: SectionContext): Section {
  const alerts = new AlertAdmin(context.admin)
  return {
    key: 'alertPolicies',
    thing: 'alert policy',

    async existing() {
      const { nameOf } = await adapterNames(context)
      return (await alertPolicies(context.admin.database)).map((policy) => ({
        name: policy.name,
        managed: policy.managed,
        fields: fieldsOf(policy, policy.adapterIds.map(nameOf)),
      }))
    },

    async prepare({ item }, existing) {
      const {
        adapters = [],
        metric,
        operator,
        severity,
        ...given
      } = Value.Parse(SECTIONS.alertPolicies, item)
      if (given.notifiers?.some((name) => context.isRefused('notifiers', name))) throw new Dependent()
      const { idOf } = await adapterNames(context)
      const wanted = checkedPolicy({
        ...POLICY_DEFAULTS,
        ...given,
        metric: parseMetric(metric),
        operator: parseOperator(operator),
        adapterIds: adapters.map(idOf),
        enabled: given.enabled ?? existing?.fields.enabled !== false,
      })
      return {
        fields: fieldsOf(wanted, adapters),
        create: () => alerts.create({ ...wanted, managed: true }),
        update: () => alerts.update(given.name, { ...wanted, managed: true }),
      }
    },

    remove: (name) => alerts.delete(name),
    isSecret: () => false,
  }
}

function fieldsOf(policy: PolicySettings, adapters: string[]) {
  const { description, enabled, metric, operator, threshold, recoveryThreshold, windowMinutes } = policy
  const { forSeconds, severity, adapterKind, operation, processId, inTotal, owners, notifiers } = policy
  return {
    ...{ description, metric, operator, threshold, recoveryThreshold, windowMinutes, forSeconds, severity },
    ...{ adapters, adapterKind, operation, processId, inTotal, owners, notifiers, enabled },
  }
}
