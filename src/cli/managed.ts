/** Tells whoever changed something by hand that `bpmn-relay apply` keeps it. */
export function warnIfManaged(thing: { managed: boolean } | undefined): void {
  if (thing?.managed) {
    console.error('It is kept by `bpmn-relay apply`: change its file too, or the next apply takes this back.')
  }
}
