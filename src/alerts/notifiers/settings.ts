import { type Static, Type } from 'typebox'

const wording = {
  language: Type.Enum(['en', 'zh'], {
    title: 'Language',
    description: 'Of the messages: en is English, zh is Chinese.',
    default: 'en',
  }),
  timeZone: Type.String({
    title: 'Time zone',
    description: 'Of the times in messages, by its IANA name, such as Asia/Shanghai or Europe/Berlin.',
    default: 'UTC',
    minLength: 1,
  }),
}

const timeoutMs = Type.Integer({
  title: 'Time limit',
  description: 'Longest time that one attempt to deliver a notice may take.',
  unit: 'ms',
  default: 10_000,
  minimum: 100,
  maximum: 20_000,
})

const ca = Type.Optional(
  Type.String({
    title: 'CA certificates',
    description:
      "PEM text of the authorities that sign the server's certificate, in place of those Node.js trusts. The certificate is always verified.",
    minLength: 1,
  }),
)

const optionalSecret = (title: string, description: string) =>
  Type.Optional(Type.String({ title, description, minLength: 1, secret: true }))

/** The services a webhook can speak to. */
export const PRESETS = ['generic', 'dingtalk', 'wecom', 'feishu', 'slack', 'teams'] as const
export type Preset = (typeof PRESETS)[number]

export const webhookSettingsSchema = Type.Object(
  {
    preset: Type.Enum([...PRESETS], {
      title: 'Preset',
      description:
        'Whose form the message has: generic is JSON for a receiver of your own, the others are the group robots of DingTalk, WeCom and Feishu, incoming webhooks of Slack and Workflows of Microsoft Teams.',
      default: 'generic',
    }),
    url: Type.String({
      title: 'URL',
      description: 'Where to post to, http(s). Required. Those of the chat services hold a token.',
      minLength: 1,
      secret: true,
    }),
    secret: optionalSecret(
      'Signing secret',
      'For generic: whsec_ and 24 to 64 random bytes as base64, such as whsec_$(openssl rand -base64 32). For dingtalk and feishu: the secret of the robot. The other presets have none.',
    ),
    headers: Type.Optional(
      Type.Record(Type.String(), Type.String(), {
        title: 'Headers',
        description: 'Sent besides, such as headers.Authorization.',
        secret: true,
      }),
    ),
    ...wording,
    timeoutMs,
    ca,
  },
  { additionalProperties: false },
)

export const mailSettingsSchema = Type.Object(
  {
    host: Type.String({
      title: 'SMTP server',
      description: 'Host name or address. Required.',
      minLength: 1,
    }),
    port: Type.Optional(
      Type.Integer({
        title: 'Port',
        description: 'Default: 587 with tls starttls, 465 with implicit, 25 with none.',
        minimum: 1,
        maximum: 65_535,
      }),
    ),
    tls: Type.Enum(['starttls', 'implicit', 'none'], {
      title: 'TLS',
      description:
        'starttls begins unencrypted and goes on only once TLS is agreed; implicit is TLS from the first byte; none sends everything, a password too, readable to all on the way.',
      default: 'starttls',
    }),
    ca,
    user: Type.Optional(
      Type.String({ title: 'User name', description: 'To log in with; needs the password.', minLength: 1 }),
    ),
    password: optionalSecret('Password', 'Needs the user name.'),
    from: Type.String({
      title: 'Sender',
      description: 'Address, or name and address such as Relay <relay@example.com>. Required.',
      minLength: 1,
    }),
    to: Type.String({
      title: 'Recipients',
      description: 'Addresses, separated by commas. Required.',
      minLength: 1,
    }),
    addOwners: Type.Boolean({
      title: 'Owners too',
      description: 'Send also to those owners of the alert that are mail addresses.',
      default: false,
    }),
    ...wording,
    timeoutMs,
  },
  { additionalProperties: false },
)

export const logSettingsSchema = Type.Object({}, { additionalProperties: false })

export type WebhookSettings = Static<typeof webhookSettingsSchema>
export type MailSettings = Static<typeof mailSettingsSchema>
