package commerce360.connect;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.apicurio.registry.serde.avro.NonRecordContainer;
import io.apicurio.registry.utils.converter.avro.AvroData;
import io.apicurio.registry.utils.converter.avro.AvroDataConfig;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.reflect.Field;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.avro.generic.GenericContainer;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericDatumWriter;
import org.apache.avro.io.BinaryEncoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.avro.io.EncoderFactory;
import org.apache.kafka.connect.data.Schema;
import org.apache.kafka.connect.data.SchemaAndValue;
import org.apache.kafka.connect.errors.DataException;
import org.apache.kafka.connect.errors.RetriableException;
import org.apache.kafka.connect.storage.Converter;

/**
 * Avro in the Confluent wire format: a zero byte, four bytes of schema id, the Avro binary.
 *
 * <p>Takes the property names of Confluent's converter, which replaces it where that is available. It speaks only two calls of the
 * registry's REST API: register a schema under a subject, and read one by id. The mapping between Connect and Avro is Apicurio's port of
 * Confluent's, whose switch for columns with a default (a NULL must stay a NULL) has no option there and is set by reflection.
 */
public class AvroConverter implements Converter {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String MEDIA_TYPE = "application/vnd.schemaregistry.v1+json";
    private static final int HEADER = 5;

    private final HttpClient http =
            HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).connectTimeout(Duration.ofSeconds(5)).build();
    // Per topic: equal schemas of two topics are two subjects and must both be registered.
    private final Map<String, Map<Schema, Registered>> written = new ConcurrentHashMap<>();
    private final Map<Integer, org.apache.avro.Schema> read = new ConcurrentHashMap<>();
    private AvroData mapping;
    private boolean isKey;
    private boolean register;
    private String[] urls;

    private record Registered(int id, org.apache.avro.Schema schema, GenericDatumWriter<Object> writer) {}

    @Override
    public void configure(Map<String, ?> properties, boolean key) {
        isKey = key;
        mapping = new AvroData(new AvroDataConfig(properties));
        urls = String.valueOf(properties.get("schema.registry.url")).split(",");
        register = flag(properties, "auto.register.schemas", true);
        if (flag(properties, "ignore.default.for.nullables", false)) {
            keepNulls();
        }
    }

    @Override
    public byte[] fromConnectData(String topic, Schema schema, Object value) {
        if (value == null) {
            return null;
        }
        Registered known = written.computeIfAbsent(topic, t -> new ConcurrentHashMap<>()).computeIfAbsent(schema, s -> registered(topic, s));
        Object mapped = mapping.fromConnectData(schema, value);
        Object plain = mapped instanceof NonRecordContainer container ? container.getValue() : mapped;
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream(256);
            out.write(0);
            out.write(ByteBuffer.allocate(4).putInt(known.id).array());
            if (known.schema.getType() == org.apache.avro.Schema.Type.BYTES) {
                out.write(bare(plain)); // the wire format has no length before bare bytes
            } else {
                BinaryEncoder encoder = EncoderFactory.get().directBinaryEncoder(out, null);
                known.writer.write(plain, encoder);
                encoder.flush();
            }
            return out.toByteArray();
        } catch (IOException | RuntimeException e) {
            throw new DataException("cannot write Avro for topic " + topic, e);
        }
    }

    @Override
    public SchemaAndValue toConnectData(String topic, byte[] bytes) {
        if (bytes == null) {
            return SchemaAndValue.NULL;
        }
        if (bytes.length < HEADER || bytes[0] != 0) {
            throw new DataException("not in the registry's wire format, topic " + topic);
        }
        org.apache.avro.Schema schema = read.computeIfAbsent(ByteBuffer.wrap(bytes, 1, 4).getInt(), this::schema);
        try {
            Object value = new GenericDatumReader<>(schema)
                    .read(null, DecoderFactory.get().binaryDecoder(bytes, HEADER, bytes.length - HEADER, null));
            return mapping.toConnectData(schema, value instanceof GenericContainer ? value : new NonRecordContainer(schema, value));
        } catch (IOException e) {
            throw new DataException("cannot read Avro from topic " + topic, e);
        }
    }

    private static boolean flag(Map<String, ?> properties, String name, boolean otherwise) {
        Object value = properties.get(name);
        return value == null ? otherwise : Boolean.parseBoolean(value.toString());
    }

    private static byte[] bare(Object value) {
        return value instanceof ByteBuffer buffer ? Arrays.copyOfRange(buffer.array(), buffer.position(), buffer.limit()) : (byte[]) value;
    }

    private void keepNulls() {
        try {
            Field field = AvroData.class.getDeclaredField("ignoreDefaultForNullables");
            field.setAccessible(true);
            field.setBoolean(mapping, true);
        } catch (ReflectiveOperationException e) {
            throw new DataException("this AvroData cannot tell NULL from a column's default", e);
        }
    }

    private Registered registered(String topic, Schema connect) {
        org.apache.avro.Schema avro = mapping.fromConnectSchema(connect);
        String subject = URLEncoder.encode(topic + (isKey ? "-key" : "-value"), StandardCharsets.UTF_8);
        String body = JSON.createObjectNode().put("schema", avro.toString()).toString();
        int id = call("POST", "/subjects/" + subject + (register ? "/versions" : ""), body).get("id").asInt();
        return new Registered(id, avro, new GenericDatumWriter<>(avro));
    }

    private org.apache.avro.Schema schema(int id) {
        return new org.apache.avro.Schema.Parser().parse(call("GET", "/schemas/ids/" + id, null).get("schema").asText());
    }

    private JsonNode call(String method, String path, String body) {
        Exception last = null;
        for (String url : urls) {
            try {
                HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url.trim() + path)).timeout(Duration.ofSeconds(15));
                request.header("Accept", MEDIA_TYPE);
                if (body != null) {
                    request.header("Content-Type", MEDIA_TYPE).method(method, HttpRequest.BodyPublishers.ofString(body));
                }
                HttpResponse<String> reply = http.send(request.build(), HttpResponse.BodyHandlers.ofString());
                if (reply.statusCode() / 100 == 2) {
                    return JSON.readTree(reply.body());
                }
                if (reply.statusCode() < 500) {
                    throw new DataException(method + " " + path + " -> " + reply.statusCode() + " " + reply.body());
                }
                last = new IOException("the registry answered " + reply.statusCode());
            } catch (IOException e) {
                last = e;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new RetriableException(e);
            }
        }
        throw new RetriableException("the registry cannot be reached", last);
    }
}
