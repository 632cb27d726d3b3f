import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.google.protobuf.Descriptors.Descriptor;
import com.google.protobuf.Descriptors.FileDescriptor;
import com.google.protobuf.DynamicMessage;
import com.google.protobuf.Message;
import com.google.protobuf.util.JsonFormat;
import io.apicurio.registry.serde.avro.AvroKafkaDeserializer;
import io.apicurio.registry.serde.avro.AvroKafkaSerializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaDeserializer;
import io.apicurio.registry.serde.jsonschema.JsonSchemaKafkaSerializer;
import io.apicurio.registry.serde.protobuf.MessageIndexesUtil;
import io.apicurio.registry.serde.protobuf.ProtobufKafkaSerializer;
import io.apicurio.registry.utils.protobuf.schema.FileDescriptorUtils;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.avro.io.JsonEncoder;

/**
 * What serializers in Java make of values, and what they read from the bytes of others, in the format of Confluent's.
 * Argument: address of the registry. Takes a JSON object a line, {serialization, topic, schema, message, json, hex}, and
 * answers each with {hex, json}: bytes it makes of `json`, and JSON it reads from `hex`.
 */
class SchemaVectors {
  /** Magic byte and schema id. */
  static final int ID_BYTES = 5;
  static final ObjectMapper MAPPER = new ObjectMapper();

  interface Codec {
    byte[] write(JsonNode vector) throws Exception;

    String read(JsonNode vector, byte[] bytes) throws Exception;
  }

  public static void main(String[] args) throws Exception {
    Map<String, Object> config = Map.of(
        "apicurio.registry.url", args[0],
        "apicurio.registry.artifact.group-id", "default",
        "apicurio.registry.find-latest", true,
        // It takes a map for a change of the schema.
        "apicurio.registry.serde.validation-enabled", false,
        "apicurio.registry.serde.send-indexes", true,
        "apicurio.registry.serde.send-type-ref", false);
    Map<String, Codec> codecs =
        Map.of("avro", avro(config), "json-schema", jsonSchema(config), "protobuf", protobuf(config));
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    StringBuilder out = new StringBuilder();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonNode vector = MAPPER.readTree(line);
      Codec codec = codecs.get(vector.get("serialization").asText());
      ObjectNode answer = MAPPER.createObjectNode();
      answer.put("hex", HexFormat.of().formatHex(codec.write(vector)));
      answer.put("json", codec.read(vector, HexFormat.of().parseHex(text(vector, "hex"))));
      out.append(answer).append('\n');
    }
    System.out.write(out.toString().getBytes(StandardCharsets.UTF_8));
    System.out.flush();
    // The registry's client leaves threads behind.
    System.exit(0);
  }

  static Codec avro(Map<String, Object> config) {
    var serializer = new AvroKafkaSerializer<GenericRecord>();
    var deserializer = new AvroKafkaDeserializer<GenericRecord>();
    serializer.configure(config, false);
    deserializer.configure(config, false);
    return new Codec() {
      public byte[] write(JsonNode vector) throws Exception {
        Schema schema = new Schema.Parser().parse(text(vector, "schema"));
        var decoder = DecoderFactory.get().jsonDecoder(schema, text(vector, "json"));
        return serializer.serialize(text(vector, "topic"), new GenericDatumReader<GenericRecord>(schema).read(null, decoder));
      }

      public String read(JsonNode vector, byte[] bytes) throws Exception {
        GenericRecord record = deserializer.deserialize(text(vector, "topic"), bytes);
        ByteArrayOutputStream json = new ByteArrayOutputStream();
        JsonEncoder encoder = EncoderFactory.get().jsonEncoder(record.getSchema(), json);
        new GenericDatumWriter<GenericRecord>(record.getSchema()).write(record, encoder);
        encoder.flush();
        return json.toString(StandardCharsets.UTF_8);
      }
    };
  }

  static Codec jsonSchema(Map<String, Object> config) {
    var serializer = new JsonSchemaKafkaSerializer<JsonNode>();
    var deserializer = new JsonSchemaKafkaDeserializer<JsonNode>();
    serializer.configure(config, false);
    deserializer.configure(config, false);
    return new Codec() {
      public byte[] write(JsonNode vector) throws Exception {
        return serializer.serialize(text(vector, "topic"), MAPPER.readTree(text(vector, "json")));
      }

      public String read(JsonNode vector, byte[] bytes) throws Exception {
        return MAPPER.writeValueAsString(deserializer.deserialize(text(vector, "topic"), bytes));
      }
    };
  }

  static Codec protobuf(Map<String, Object> config) {
    var serializer = new ProtobufKafkaSerializer<Message>();
    serializer.configure(config, false);
    return new Codec() {
      public byte[] write(JsonNode vector) throws Exception {
        var message = DynamicMessage.newBuilder(descriptor(file(vector), text(vector, "message")));
        JsonFormat.parser().merge(text(vector, "json"), message);
        return serializer.serialize(text(vector, "topic"), message.build());
      }

      public String read(JsonNode vector, byte[] bytes) throws Exception {
        // Their deserializer wants a class for the type: this is how it reads the path, and Protobuf's own reader.
        var stream = new ByteArrayInputStream(bytes, ID_BYTES, bytes.length - ID_BYTES);
        Descriptor type = null;
        for (int index : MessageIndexesUtil.readFrom(stream))
          type = type == null ? file(vector).getMessageTypes().get(index) : nested(type).get(index);
        Message message = DynamicMessage.parseFrom(type, stream);
        return JsonFormat.printer().omittingInsignificantWhitespace().print(message);
      }
    };
  }

  /** Without those that Protobuf makes up for maps: paths do not count them. */
  static List<Descriptor> nested(Descriptor type) {
    return type.getNestedTypes().stream().filter(each -> !each.getOptions().getMapEntry()).toList();
  }

  static FileDescriptor file(JsonNode vector) throws Exception {
    return FileDescriptorUtils.protoFileToFileDescriptor(text(vector, "schema"), "vector.proto", Optional.of("shop"));
  }

  /** By its name without the package, such as `Outer.Inner`. */
  static Descriptor descriptor(FileDescriptor file, String name) {
    Descriptor found = null;
    for (String part : name.split("\\."))
      found = found == null ? file.findMessageTypeByName(part) : found.findNestedTypeByName(part);
    return found;
  }

  static String text(JsonNode vector, String name) {
    return vector.get(name).asText();
  }
}
