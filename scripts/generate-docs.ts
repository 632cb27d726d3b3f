// Writes the generated parts of the documentation.
import { readFileSync, writeFileSync } from 'node:fs'
import {
  CONFIGURATION_PAGE,
  configurationPage,
  ERRORS_PAGE,
  errorsPage,
  NOTIFIERS_PAGE,
  notifiersPage,
} from './doc-pages.js'
import { KAFKA_SETTINGS_PAGE, kafkaSettingsPage } from './kafka-settings-page.js'
import { ROCKETMQ_SETTINGS_PAGE, rocketmqSettingsPage } from './rocketmq-settings-page.js'

const root = new URL('../', import.meta.url)
writeFileSync(new URL(CONFIGURATION_PAGE, root), configurationPage())
writeFileSync(new URL(KAFKA_SETTINGS_PAGE, root), kafkaSettingsPage())
writeFileSync(new URL(ROCKETMQ_SETTINGS_PAGE, root), rocketmqSettingsPage())
for (const [page, made] of [
  [ERRORS_PAGE, errorsPage],
  [NOTIFIERS_PAGE, notifiersPage],
] as const) {
  const file = new URL(page, root)
  writeFileSync(file, made(readFileSync(file, 'utf8')))
}
