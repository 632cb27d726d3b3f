/** A process of one task, with the inputs its template would write, and a diagram as the engine needs none. */
export function oneTaskProcess(options: {
  id: string
  taskType: string
  adapter: string
  topic: string
}): string {
  const { id, taskType, adapter, topic } = options
  return `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0" id="Definitions" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="${id}" isExecutable="true">
    <bpmn:startEvent id="Start"><bpmn:outgoing>ToPublish</bpmn:outgoing></bpmn:startEvent>
    <bpmn:serviceTask id="Publish">
      <bpmn:extensionElements>
        <zeebe:taskDefinition type="${taskType}" retries="3" />
        <zeebe:ioMapping>
          <zeebe:input source="${adapter}" target="adapterId" />
          <zeebe:input source="${topic}" target="topic" />
          <zeebe:input source="=order" target="message" />
          <zeebe:input source="=orderId" target="key" />
        </zeebe:ioMapping>
      </bpmn:extensionElements>
      <bpmn:incoming>ToPublish</bpmn:incoming>
      <bpmn:outgoing>ToEnd</bpmn:outgoing>
    </bpmn:serviceTask>
    <bpmn:endEvent id="End"><bpmn:incoming>ToEnd</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="ToPublish" sourceRef="Start" targetRef="Publish" />
    <bpmn:sequenceFlow id="ToEnd" sourceRef="Publish" targetRef="End" />
  </bpmn:process>
</bpmn:definitions>
`
}

/** A process that is over once it has begun. */
export function noTaskProcess(id: string): string {
  return `<?xml version="1.0" encoding="UTF-8"?>
<bpmn:definitions xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" id="Definitions" targetNamespace="http://bpmn.io/schema/bpmn">
  <bpmn:process id="${id}" isExecutable="true">
    <bpmn:startEvent id="Start"><bpmn:outgoing>ToEnd</bpmn:outgoing></bpmn:startEvent>
    <bpmn:endEvent id="End"><bpmn:incoming>ToEnd</bpmn:incoming></bpmn:endEvent>
    <bpmn:sequenceFlow id="ToEnd" sourceRef="Start" targetRef="End" />
  </bpmn:process>
</bpmn:definitions>
`
}
