import java.util.HexFormat;
import java.util.List;
import java.util.UUID;
import org.apache.kafka.common.serialization.BooleanSerializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.serialization.DoubleSerializer;
import org.apache.kafka.common.serialization.FloatSerializer;
import org.apache.kafka.common.serialization.IntegerSerializer;
import org.apache.kafka.common.serialization.LongSerializer;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.common.serialization.ShortSerializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.apache.kafka.common.serialization.UUIDSerializer;

/**
 * Prints what Kafka's own serializers make of values: serialization, value as JSON and bytes in hexadecimal, separated
 * by tabs. Run with `java -cp 'KAFKA_JARS/*' Vectors.java`.
 */
public class Vectors {
  public static void main(String[] args) {
    for (short value : new short[] {0, 1, -1, 258, Short.MAX_VALUE, Short.MIN_VALUE})
      print("short", String.valueOf(value), new ShortSerializer(), value);
    for (int value : new int[] {0, 1, -1, 16909060, Integer.MAX_VALUE, Integer.MIN_VALUE})
      print("integer", String.valueOf(value), new IntegerSerializer(), value);
    for (long value : new long[] {0, 1, -1, 9007199254740993L, -9007199254740993L, Long.MAX_VALUE, Long.MIN_VALUE})
      print("long", String.valueOf(value), new LongSerializer(), value);
    for (float value : new float[] {
        0f, -0f, 1f, -1.5f, 0.1f, 16777217f, Float.MAX_VALUE, -Float.MAX_VALUE, Float.MIN_VALUE, Float.MIN_NORMAL,
        Float.NaN, Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY})
      print("float", number(value, Float.toString(value)), new FloatSerializer(), value);
    for (double value : new double[] {
        0d, -0d, 1d, -1.5d, 0.1d, 9007199254740993d, Double.MAX_VALUE, -Double.MAX_VALUE, Double.MIN_VALUE,
        Double.MIN_NORMAL, Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY})
      print("double", number(value, Double.toString(value)), new DoubleSerializer(), value);
    for (boolean value : new boolean[] {true, false})
      print("boolean", String.valueOf(value), new BooleanSerializer(), value);
    for (String value : List.of(
        "00000000-0000-0000-0000-000000000000", "123e4567-e89b-12d3-a456-426614174000", "ffffffff-ffff-ffff-ffff-ffffffffffff"))
      print("uuid", quoted(value), new UUIDSerializer(), UUID.fromString(value));
    for (String value : List.of("", "a", "null", "Z\u00fcrich \u5317\u4eac \ud83d\ude00", "\u0000\ufeff\uffff"))
      print("string", quoted(value), new StringSerializer(), value);
    for (String hex : List.of("", "00", "00fffe3e"))
      print("bytes", quoted(base64(hex)), new ByteArraySerializer(), HexFormat.of().parseHex(hex));
  }

  private static <T> void print(String serialization, String json, Serializer<T> serializer, T value) {
    byte[] bytes = serializer.serialize("topic", value);
    System.out.println(serialization + "\t" + json + "\t" + HexFormat.of().formatHex(bytes));
  }

  /** JSON has no literal for what is not finite. */
  private static String number(double value, String text) {
    return Double.isFinite(value) ? text : quoted(text);
  }

  private static String base64(String hex) {
    return java.util.Base64.getEncoder().encodeToString(HexFormat.of().parseHex(hex));
  }

  private static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char unit : text.toCharArray()) json.append(unit < 128 && unit >= 32 ? "" + unit : String.format("\\u%04x", (int) unit));
    return json.append('"').toString();
  }
}
