import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Sends a message for each line it reads, "key value" in base64, with Kafka's own Java client, and prints the partition
 * that each got. Arguments: bootstrap servers, topic, compression type.
 */
class Produce {
  public static void main(String[] args) throws Exception {
    Map<String, Object> config =
        Map.of("bootstrap.servers", args[0], "compression.type", args[2], "linger.ms", 200, "batch.size", 4_000_000,
            "max.request.size", 8_000_000);
    List<Future<RecordMetadata>> sent = new ArrayList<>();
    try (var producer = new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer())) {
      BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
      for (String line = lines.readLine(); line != null; line = lines.readLine()) {
        String[] parts = line.split(" ", -1);
        byte[] key = Base64.getDecoder().decode(parts[0]);
        byte[] value = Base64.getDecoder().decode(parts[1]);
        sent.add(producer.send(new ProducerRecord<>(args[1], key, value)));
      }
    }
    StringBuilder out = new StringBuilder();
    for (Future<RecordMetadata> each : sent) out.append(each.get().partition()).append('\n');
    System.out.print(out);
  }
}
