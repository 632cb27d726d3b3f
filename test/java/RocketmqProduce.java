import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.selector.SelectMessageQueueByHash;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;

/**
 * Sends a message for each line it reads, its fields URL-encoded, with RocketMQ's own Java client, and prints the id of
 * each. Argument: name server.
 */
class RocketmqProduce {
  public static void main(String[] args) throws Exception {
    DefaultMQProducer producer = new DefaultMQProducer("test-java-producer");
    producer.setNamesrvAddr(args[0]);
    producer.start();
    StringBuilder out = new StringBuilder();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      Map<String, String> fields = fieldsOf(line);
      Message message = new Message(fields.get("topic"), fields.get("body").getBytes(StandardCharsets.UTF_8));
      if (fields.containsKey("tag")) message.setTags(fields.get("tag"));
      if (fields.containsKey("keys")) message.setKeys(fields.get("keys"));
      for (Map.Entry<String, String> field : fields.entrySet()) {
        if (!field.getKey().startsWith("property.")) continue;
        message.putUserProperty(field.getKey().substring("property.".length()), field.getValue());
      }
      producer.setCompressType(CompressionType.of(fields.getOrDefault("compression", "ZLIB")));
      String group = fields.get("messageGroup");
      if (group != null) message.putUserProperty("__SHARDINGKEY", group);
      out.append(
          (group == null ? producer.send(message) : producer.send(message, new SelectMessageQueueByHash(), group))
              .getMsgId());
      out.append('\n');
    }
    producer.shutdown();
    System.out.print(out);
  }

  private static Map<String, String> fieldsOf(String line) {
    Map<String, String> fields = new LinkedHashMap<>();
    for (String field : line.split("&")) {
      int separator = field.indexOf('=');
      fields.put(decoded(field.substring(0, separator)), decoded(field.substring(separator + 1)));
    }
    return fields;
  }

  private static String decoded(String text) {
    return URLDecoder.decode(text, StandardCharsets.UTF_8);
  }
}
