import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.serialization.StringDeserializer;

/**
 * Consumes a topic with Kafka's own Java client and prints the value of each message, until its input ends.
 * Arguments: bootstrap servers, group, topic, assignor.
 */
class KafkaConsume {
  public static void main(String[] args) throws Exception {
    Map<String, Object> settings =
        Map.of(
            "bootstrap.servers", args[0],
            "group.id", args[1],
            "partition.assignment.strategy", args[3],
            "auto.offset.reset", "earliest",
            "key.deserializer", StringDeserializer.class,
            "value.deserializer", StringDeserializer.class);
    try (KafkaConsumer<String, String> consumer = new KafkaConsumer<>(settings)) {
      consumer.subscribe(List.of(args[2]));
      while (System.in.available() == 0) {
        consumer.poll(Duration.ofMillis(100)).forEach(message -> System.out.println(message.value()));
      }
      consumer.commitSync();
    }
  }
}
