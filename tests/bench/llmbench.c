/* A fake LLM upstream and a load client, each one thread around epoll, cheap enough not to be what is measured.
 *
 *   llmbench serve [-p PORT] [-e EVENTS] [-g GAP_US]
 *       Answers POST .../chat/completions (OpenAI) and POST .../messages (Anthropic): one JSON body, or, when the
 *       request says "stream": true, EVENTS text events GAP_US microseconds apart. POST .../converse-stream (Bedrock)
 *       gets these events in AWS's binary frames. Prints its port; 0 takes a free one.
 *   llmbench load -a HOST:PORT -u PATH -b BODYFILE [-c CONNECTIONS] [-d SECONDS] [-w WARMUP] [-r RATE] [-s]
 *                 [-x SUBSTRING] [-H 'name: value']...
 *       Closed loop: each connection sends its next request as soon as the last one is answered. With -r, open loop:
 *       RATE requests/s, their latency counted from the moment when they were meant to be sent. -s: the answer is a
 *       stream. An answer counts when its status is 200 and it contains SUBSTRING. Prints one JSON line: among others
 *       the time to the first byte of a body (ttft), the time between two events of a stream (gap), and how many
 *       requests were due but not answered at the end (unanswered).
 *
 * Built and run by run.py.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256, READ_SIZE = 65536, MAX_REQUEST = 64 << 20, KEPT_BODY = 4 * READ_SIZE };

static int epoll_fd;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static void *grown(void *memory, size_t size) {
    memory = realloc(memory, size);
    if (!memory) die("realloc");
    return memory;
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void watch(int fd, uint32_t events, void *owner, int operation) {
    struct epoll_event event = {.events = events, .data.ptr = owner};
    if (epoll_ctl(epoll_fd, operation, fd, &event)) die("epoll_ctl");
}

static void set_timer(int timer_fd, int64_t at_ns) {
    struct itimerspec when = {.it_value = {at_ns / 1000000000, at_ns % 1000000000}};
    timerfd_settime(timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static int make_timer(void) {
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    if (fd < 0) die("timerfd_create");
    return fd;
}

static void drain_timer(int timer_fd) {
    uint64_t ticks;
    while (read(timer_fd, &ticks, sizeof ticks) > 0) {
    }
}

/* ---- bytes that grow ---- */

typedef struct {
    char *data;
    size_t length, capacity;
} Buffer;

static void reserve(Buffer *buffer, size_t room) {
    if (buffer->length + room <= buffer->capacity) return;
    buffer->capacity = (buffer->length + room) * 2;
    buffer->data = grown(buffer->data, buffer->capacity);
}

static void append(Buffer *buffer, const char *data, size_t length) {
    reserve(buffer, length + 1);
    memcpy(buffer->data + buffer->length, data, length);
    buffer->length += length;
    buffer->data[buffer->length] = 0;
}

__attribute__((format(printf, 2, 3))) static void appendf(Buffer *buffer, const char *format, ...) {
    char *text;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0) die("vasprintf");
    append(buffer, text, (size_t)length);
    free(text);
}

/* ---- message heads ---- */

/* Length of the head with its empty line, or 0 while that has not arrived. */
static size_t head_length(const char *data, size_t length) {
    const char *end = memmem(data, length, "\r\n\r\n", 4);
    return end ? (size_t)(end - data) + 4 : 0;
}

/* Value of a header in a head, or NULL. `name` is lower case and ends with a colon. */
static const char *header(const char *head, size_t length, const char *name) {
    size_t width = strlen(name);
    const char *end = head + length;
    for (const char *line = memchr(head, '\n', length); line && line + 1 + width < end;
         line = memchr(line + 1, '\n', (size_t)(end - line - 1))) {
        if (!strncasecmp(line + 1, name, width)) {
            const char *value = line + 1 + width;
            while (*value == ' ') value++;
            return value;
        }
    }
    return NULL;
}

static bool is_chunked(const char *head, size_t length) {
    const char *value = header(head, length, "transfer-encoding:");
    return value && !strncasecmp(value, "chunked", 7);
}

/* Chunked transfer coding, read piece by piece. */
typedef struct {
    enum { CHUNK_SIZE, CHUNK_SIZE_LINE, CHUNK_DATA, CHUNK_END, CHUNK_TRAILER, CHUNK_DONE, CHUNK_BAD } state;
    uint64_t left;
    bool line_empty;
} Chunks;

static int hex_digit(char byte) {
    if (byte >= '0' && byte <= '9') return byte - '0';
    byte |= 32;
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

typedef void (*Sink)(void *owner, const char *data, size_t length);

/* Feeds bytes to the decoder, which gives the payload to `sink`; returns how many bytes it took. */
static size_t decode_chunks(Chunks *chunks, const char *data, size_t length, Sink sink, void *owner) {
    size_t at = 0;
    while (at < length && chunks->state < CHUNK_DONE) {
        char byte = data[at];
        switch (chunks->state) {
        case CHUNK_SIZE: {
            int digit = hex_digit(byte);
            if (digit >= 0) {
                chunks->left = chunks->left * 16 + (unsigned)digit;
                at++;
            } else {
                chunks->state = CHUNK_SIZE_LINE;
            }
            break;
        }
        case CHUNK_SIZE_LINE:
            at++;
            if (byte == '\n') {
                chunks->state = chunks->left ? CHUNK_DATA : CHUNK_TRAILER;
                chunks->line_empty = true;
            }
            break;
        case CHUNK_DATA: {
            size_t take = length - at < chunks->left ? length - at : (size_t)chunks->left;
            sink(owner, data + at, take);
            at += take;
            chunks->left -= take;
            if (!chunks->left) chunks->state = CHUNK_END;
            break;
        }
        case CHUNK_END:
            at++;
            if (byte == '\n') chunks->state = CHUNK_SIZE;
            else if (byte != '\r') chunks->state = CHUNK_BAD;
            break;
        case CHUNK_TRAILER:
            at++;
            if (byte == '\n') {
                if (chunks->line_empty) chunks->state = CHUNK_DONE;
                chunks->line_empty = true;
            } else if (byte != '\r') {
                chunks->line_empty = false;
            }
            break;
        default:
            break;
        }
    }
    return at;
}

/* ---- serve ---- */

/* An answer as it goes on the wire: its segments are sent one by one, a gap apart. */
typedef struct {
    Buffer *segments;
    int count;
} Script;

typedef struct Peer {
    int fd;
    Buffer in;
    size_t head; /* length of the head that has been read, 0 before */
    size_t body_length;
    bool chunked;
    Chunks chunks;
    size_t scanned; /* how much of `in` the chunk decoder has seen */
    Buffer body;
    const Script *script;
    int segment;
    size_t sent;
    bool waiting_to_write, queued, dead;
    int64_t due;
    struct Peer *next_due;
} Peer;

static struct {
    int64_t gap_ns;
    int timer_fd;
    Peer *first_due, *last_due; /* the gap is one for all, so this queue is in order of time */
    Script unary[2], stream[2], converse_stream, not_found;
} server;

/* Names that price lists know: a gateway that looks them up must not be slowed down by not finding them. */
#define OPENAI_MODEL "gpt-4o-2024-08-06"
#define ANTHROPIC_MODEL "claude-sonnet-4-5-20250929"

static const char *ANSWER_TEXT =
    "Paris began as a settlement of the Parisii on an island of the Seine and became a Roman town. "
    "In the Middle Ages it grew into the largest city of Europe and the seat of the kings of France. "
    "Revolutions, Haussmann's boulevards and two world's fairs gave it the face that visitors know.";

static void appendf_chunk(Buffer *out, const Buffer *payload) {
    appendf(out, "%zx\r\n", payload->length);
    append(out, payload->data, payload->length);
    append(out, "\r\n", 2);
}

static Script unary_script(const char *status, const Buffer *json) {
    Script script = {calloc(1, sizeof(Buffer)), 1};
    appendf(script.segments, "HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %zu\r\n\r\n", status,
            json->length);
    append(script.segments, json->data, json->length);
    return script;
}

static void start_stream(Script *script, int events, const char *content_type) {
    script->count = events + 2;
    script->segments = calloc((size_t)script->count, sizeof(Buffer));
    appendf(&script->segments[0],
            "HTTP/1.1 200 OK\r\ncontent-type: %s\r\ncache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n",
            content_type);
}

static void add_event(Script *script, int segment, const char *name, const char *json) {
    Buffer payload = {0};
    if (name) appendf(&payload, "event: %s\n", name);
    appendf(&payload, "data: %s\n\n", json);
    appendf_chunk(&script->segments[segment], &payload);
    free(payload.data);
}

static void build_openai(int events) {
    Buffer json = {0};
    appendf(&json,
            "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion\",\"created\":1700000000,\"model\":\"" OPENAI_MODEL "\","
            "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\"},"
            "\"finish_reason\":\"stop\"}],"
            "\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":70,\"total_tokens\":110}}",
            ANSWER_TEXT);
    server.unary[0] = unary_script("200 OK", &json);
    Script *stream = &server.stream[0];
    const char *chunk = "{\"id\":\"chatcmpl-bench\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,"
                        "\"model\":\"" OPENAI_MODEL "\",\"choices\":[";
    start_stream(stream, events, "text/event-stream");
    for (int event = -1; event <= events; event++) {
        json.length = 0;
        appendf(&json, "%s{\"index\":0,\"delta\":{", chunk);
        if (event < 0) appendf(&json, "\"role\":\"assistant\",\"content\":\"\"");
        else if (event < events) appendf(&json, "\"content\":\" word%d\"", event);
        appendf(&json, "},\"finish_reason\":%s}]}", event < events ? "null" : "\"stop\"");
        add_event(stream, event + 1, NULL, json.data);
    }
    json.length = 0;
    appendf(&json, "%s],\"usage\":{\"prompt_tokens\":40,\"completion_tokens\":%d,\"total_tokens\":%d}}", chunk, events,
            events + 40);
    add_event(stream, events + 1, NULL, json.data);
    add_event(stream, events + 1, NULL, "[DONE]");
    append(&stream->segments[events + 1], "0\r\n\r\n", 5);
    free(json.data);
}

static void build_anthropic(int events) {
    Buffer json = {0};
    const char *message = "\"id\":\"msg_bench\",\"type\":\"message\",\"role\":\"assistant\","
                          "\"model\":\"" ANTHROPIC_MODEL "\"";
    appendf(&json,
            "{%s,\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\",\"stop_sequence\":null,"
            "\"usage\":{\"input_tokens\":40,\"output_tokens\":70}}",
            message, ANSWER_TEXT);
    server.unary[1] = unary_script("200 OK", &json);
    Script *stream = &server.stream[1];
    start_stream(stream, events, "text/event-stream");
    json.length = 0;
    appendf(&json,
            "{\"type\":\"message_start\",\"message\":{%s,\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,"
            "\"usage\":{\"input_tokens\":40,\"output_tokens\":1}}}",
            message);
    add_event(stream, 0, "message_start", json.data);
    add_event(stream, 0, "content_block_start",
              "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}");
    for (int event = 0; event < events; event++) {
        json.length = 0;
        appendf(&json,
                "{\"type\":\"content_block_delta\",\"index\":0,"
                "\"delta\":{\"type\":\"text_delta\",\"text\":\" word%d\"}}",
                event);
        add_event(stream, event + 1, "content_block_delta", json.data);
    }
    json.length = 0;
    appendf(&json,
            "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
            "\"usage\":{\"output_tokens\":%d}}",
            events);
    add_event(stream, events + 1, "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}");
    add_event(stream, events + 1, "message_delta", json.data);
    add_event(stream, events + 1, "message_stop", "{\"type\":\"message_stop\"}");
    append(&stream->segments[events + 1], "0\r\n\r\n", 5);
    free(json.data);
}

/* The CRC-32 of Ethernet and zlib. Bit by bit: frames are made once, at the start. */
static uint32_t crc32_of(const char *data, size_t length) {
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < length; i++) {
        crc ^= (unsigned char)data[i];
        for (int bit = 0; bit < 8; bit++) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

static void append_u32(Buffer *out, uint32_t value) {
    value = htonl(value);
    append(out, (const char *)&value, sizeof value);
}

static void append_text_header(Buffer *out, const char *name, const char *value) {
    const char type_and_length[] = {7, 0, (char)strlen(value)};
    appendf(out, "%c%s", (int)strlen(name), name);
    append(out, type_and_length, sizeof type_and_length);
    append(out, value, strlen(value));
}

/* One frame of an AWS event stream: lengths and their CRC, headers, payload, CRC of all that. */
static void add_frame(Script *script, int segment, const char *event_type, const char *json) {
    Buffer headers = {0}, frame = {0};
    append_text_header(&headers, ":event-type", event_type);
    append_text_header(&headers, ":content-type", "application/json");
    append_text_header(&headers, ":message-type", "event");
    append_u32(&frame, (uint32_t)(headers.length + strlen(json) + 16));
    append_u32(&frame, (uint32_t)headers.length);
    append_u32(&frame, crc32_of(frame.data, frame.length));
    append(&frame, headers.data, headers.length);
    append(&frame, json, strlen(json));
    append_u32(&frame, crc32_of(frame.data, frame.length));
    appendf_chunk(&script->segments[segment], &frame);
    free(headers.data);
    free(frame.data);
}

static void build_converse(int events) {
    Script *stream = &server.converse_stream;
    start_stream(stream, events, "application/vnd.amazon.eventstream");
    add_frame(stream, 0, "messageStart", "{\"role\":\"assistant\",\"p\":\"abcdefghij\"}");
    Buffer json = {0};
    for (int event = 0; event < events; event++) {
        json.length = 0;
        appendf(&json, "{\"contentBlockIndex\":0,\"delta\":{\"text\":\" word%d\"},\"p\":\"abcdefghijklmnop\"}", event);
        add_frame(stream, event + 1, "contentBlockDelta", json.data);
    }
    json.length = 0;
    appendf(&json,
            "{\"metrics\":{\"latencyMs\":900},"
            "\"usage\":{\"inputTokens\":40,\"outputTokens\":%d,\"totalTokens\":%d}}",
            events, events + 40);
    add_frame(stream, events + 1, "contentBlockStop", "{\"contentBlockIndex\":0,\"p\":\"abcdefghij\"}");
    add_frame(stream, events + 1, "messageStop", "{\"stopReason\":\"end_turn\",\"p\":\"abcdefghij\"}");
    add_frame(stream, events + 1, "metadata", json.data);
    append(&stream->segments[events + 1], "0\r\n\r\n", 5);
    free(json.data);
}

static void close_peer(Peer *peer) {
    if (!peer->dead) close(peer->fd);
    peer->dead = true;
    if (peer->queued) return; /* freed when it leaves the queue */
    free(peer->in.data);
    free(peer->body.data);
    free(peer);
}

static void collect_body(void *owner, const char *data, size_t length) {
    append(&((Peer *)owner)->body, data, length);
}

static bool asks_for_stream(const char *body, size_t length) {
    const char *found = memmem(body, length, "\"stream\"", 8);
    if (!found) return false;
    const char *at = found + 8, *end = body + length;
    while (at < end && (*at == ' ' || *at == ':')) at++;
    return end - at >= 4 && !memcmp(at, "true", 4);
}

static const Script *choose_script(const Peer *peer, const char *body, size_t length) {
    const char *line_end = memchr(peer->in.data, '\n', peer->head);
    size_t line = (size_t)(line_end - peer->in.data);
    if (memmem(peer->in.data, line, "/converse-stream", 16)) return &server.converse_stream;
    bool messages = memmem(peer->in.data, line, "/messages", 9) != NULL;
    if (!messages && !memmem(peer->in.data, line, "/chat/completions", 17)) return &server.not_found;
    return asks_for_stream(body, length) ? &server.stream[messages] : &server.unary[messages];
}

/* Takes one whole request off the input and chooses its answer; false while the request is not complete. */
static bool take_request(Peer *peer) {
    if (!peer->head) {
        peer->head = head_length(peer->in.data, peer->in.length);
        if (!peer->head) return false;
        const char *length = header(peer->in.data, peer->head, "content-length:");
        peer->chunked = is_chunked(peer->in.data, peer->head);
        peer->body_length = length ? strtoull(length, NULL, 10) : 0;
        peer->chunks = (Chunks){0};
        peer->scanned = peer->head;
        peer->body.length = 0;
    }
    size_t end = peer->head + peer->body_length;
    if (peer->chunked) {
        peer->scanned += decode_chunks(&peer->chunks, peer->in.data + peer->scanned, peer->in.length - peer->scanned,
                                       collect_body, peer);
        if (peer->chunks.state != CHUNK_DONE) return false;
        end = peer->scanned;
        peer->script = choose_script(peer, peer->body.data, peer->body.length);
    } else {
        if (peer->in.length < end) return false;
        peer->script = choose_script(peer, peer->in.data + peer->head, peer->body_length);
    }
    memmove(peer->in.data, peer->in.data + end, peer->in.length - end);
    peer->in.length -= end;
    peer->head = 0;
    peer->segment = 0;
    peer->sent = 0;
    return true;
}

static void enqueue(Peer *peer) {
    peer->due = now_ns() + server.gap_ns;
    peer->queued = true;
    peer->next_due = NULL;
    if (server.last_due) {
        server.last_due->next_due = peer;
    } else {
        server.first_due = peer;
        set_timer(server.timer_fd, peer->due);
    }
    server.last_due = peer;
}

/* Sends what is due; false when the connection is gone. */
static bool play(Peer *peer) {
    while (peer->script) {
        const Buffer *segment = &peer->script->segments[peer->segment];
        ssize_t sent = send(peer->fd, segment->data + peer->sent, segment->length - peer->sent, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) {
            if (!peer->waiting_to_write) watch(peer->fd, EPOLLIN | EPOLLOUT, peer, EPOLL_CTL_MOD);
            peer->waiting_to_write = true;
            return true;
        }
        if (sent < 0) return false;
        peer->sent += (size_t)sent;
        if (peer->sent < segment->length) continue;
        peer->sent = 0;
        if (++peer->segment == peer->script->count) {
            peer->script = NULL;
            if (take_request(peer)) continue;
        } else if (server.gap_ns) {
            enqueue(peer);
            break;
        }
    }
    if (peer->waiting_to_write) watch(peer->fd, EPOLLIN, peer, EPOLL_CTL_MOD);
    peer->waiting_to_write = false;
    return true;
}

static void play_due(void) {
    drain_timer(server.timer_fd);
    int64_t now = now_ns();
    while (server.first_due && server.first_due->due <= now) {
        Peer *peer = server.first_due;
        server.first_due = peer->next_due;
        if (!server.first_due) server.last_due = NULL;
        peer->queued = false;
        if (peer->dead || !play(peer)) close_peer(peer);
    }
    if (server.first_due) set_timer(server.timer_fd, server.first_due->due);
}

static void serve_peer(Peer *peer, uint32_t events) {
    if (events & EPOLLIN) {
        reserve(&peer->in, READ_SIZE);
        ssize_t got = recv(peer->fd, peer->in.data + peer->in.length, READ_SIZE, 0);
        if (got == 0 || (got < 0 && errno != EAGAIN) || peer->in.length > MAX_REQUEST) {
            close_peer(peer);
            return;
        }
        if (got > 0) peer->in.length += (size_t)got;
        if (!peer->script && take_request(peer) && !play(peer)) {
            close_peer(peer);
            return;
        }
    } else if (events & (EPOLLHUP | EPOLLERR)) {
        close_peer(peer);
        return;
    }
    if (events & EPOLLOUT && peer->waiting_to_write && !play(peer)) close_peer(peer);
}

static void accept_peers(int listener) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        Peer *peer = calloc(1, sizeof *peer);
        if (!peer) die("calloc");
        peer->fd = fd;
        watch(fd, EPOLLIN, peer, EPOLL_CTL_ADD);
    }
}

static int serve(int argc, char **argv) {
    int port = 0, count = 50, on = 1;
    for (int option; (option = getopt(argc, argv, "p:e:g:")) != -1;) {
        if (option == 'p') port = atoi(optarg);
        else if (option == 'e') count = atoi(optarg);
        else if (option == 'g') server.gap_ns = atoll(optarg) * 1000;
        else return 2;
    }
    build_openai(count);
    build_anthropic(count);
    build_converse(count);
    Buffer json = {0};
    append(&json, "{\"error\":{\"message\":\"no such path\"}}", 36);
    server.not_found = unary_script("404 Not Found", &json);

    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);

    server.timer_fd = make_timer();
    watch(listener, EPOLLIN, &listener, EPOLL_CTL_ADD);
    watch(server.timer_fd, EPOLLIN, &server, EPOLL_CTL_ADD);
    struct epoll_event ready[MAX_EVENTS];
    for (;;) {
        int n = epoll_wait(epoll_fd, ready, MAX_EVENTS, -1);
        bool timer = false;
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &listener) accept_peers(listener);
            else if (ready[i].data.ptr == &server) timer = true;
            else serve_peer(ready[i].data.ptr, ready[i].events);
        }
        if (timer) play_due(); /* last: it may free peers that are in `ready` */
    }
}

/* ---- load ---- */

typedef struct {
    double *values; /* milliseconds */
    size_t count, capacity;
} Samples;

static void add_sample(Samples *samples, int64_t nanoseconds) {
    if (samples->count == samples->capacity) {
        samples->capacity = samples->capacity ? samples->capacity * 2 : 65536;
        samples->values = grown(samples->values, samples->capacity * sizeof(double));
    }
    samples->values[samples->count++] = (double)nanoseconds / 1e6;
}

typedef struct Client {
    int fd; /* -1: not connected */
    bool connecting, busy, idle, in_body, chunked;
    int status;
    size_t written;
    int64_t started, first_byte, last_event, retry_at;
    uint64_t body_left;
    Chunks chunks;
    Buffer head, body;
    int newline_run; /* how much of "\ndata:" the last bytes match */
    uint64_t events;
    struct Client *next_idle;
} Client;

static struct {
    struct sockaddr_in address;
    Buffer request;
    const char *expected;
    bool stream;
    double rate;
    Client *idle;
    uint64_t scheduled;
    int64_t open_since, measure_from, measure_until;
    int timer_fd;
    Samples latencies, first_bytes, gaps;
    uint64_t events, errors;
    char first_error[512];
} load_run;

static bool measuring(int64_t now) {
    return now >= load_run.measure_from && now < load_run.measure_until;
}

static void note_error(const Client *client, const char *what) {
    load_run.errors += measuring(now_ns());
    if (load_run.first_error[0]) return;
    int length = snprintf(load_run.first_error, sizeof load_run.first_error, "%s; status %d; ", what, client->status);
    for (size_t i = 0; i < client->body.length && length < (int)sizeof load_run.first_error - 1; i++) {
        char byte = client->body.data[i];
        load_run.first_error[length++] = byte < 32 || byte == '"' || byte == '\\' ? ' ' : byte;
    }
}

static void open_connection(Client *client) {
    int on = 1;
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    if (client->fd < 0) die("socket");
    setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    client->connecting = true;
    int refused = connect(client->fd, (struct sockaddr *)&load_run.address, sizeof load_run.address);
    if (refused && errno != EINPROGRESS) die("connect");
    watch(client->fd, EPOLLIN | EPOLLOUT, client, EPOLL_CTL_ADD);
}

static void drop_connection(Client *client) {
    close(client->fd);
    client->fd = -1;
    client->busy = client->connecting = false;
    client->retry_at = now_ns() + 20000000;
}

static void write_request(Client *client) {
    const Buffer *request = &load_run.request;
    while (client->written < request->length) {
        size_t left = request->length - client->written;
        ssize_t sent = send(client->fd, request->data + client->written, left, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) watch(client->fd, EPOLLIN | EPOLLOUT, client, EPOLL_CTL_MOD);
            return; /* a broken connection shows itself at the next read */
        }
        client->written += (size_t)sent;
    }
}

static void start_request(Client *client, int64_t intended) {
    client->busy = true;
    client->in_body = false;
    client->status = 0;
    client->written = 0;
    client->started = intended;
    client->first_byte = client->last_event = 0;
    client->head.length = client->body.length = 0;
    client->chunks = (Chunks){0};
    client->newline_run = 1; /* the body begins like after a newline */
    client->events = 0;
    write_request(client);
}

static void become_idle(Client *client) {
    if (load_run.rate <= 0) {
        start_request(client, now_ns());
    } else if (!client->idle) {
        client->idle = true;
        client->next_idle = load_run.idle;
        load_run.idle = client;
    }
}

/* Open loop: sends the requests that are due, as far as there are idle connections. */
static void send_due(void) {
    int64_t now = now_ns();
    while (load_run.idle) {
        int64_t due = load_run.open_since + (int64_t)((double)load_run.scheduled * 1e9 / load_run.rate);
        if (due > now) {
            set_timer(load_run.timer_fd, due);
            return;
        }
        Client *client = load_run.idle;
        load_run.idle = client->next_idle;
        client->idle = false;
        if (client->fd < 0 || client->connecting) continue; /* dropped while idle; the reconnect brings it back */
        load_run.scheduled++;
        start_request(client, due);
    }
}

static const char *fault_of(const Client *client) {
    const char *text = load_run.expected;
    if (client->status != 200) return "not a 200";
    if (load_run.stream && !client->events) return "no events";
    if (text && !memmem(client->body.data, client->body.length, text, strlen(text))) return "expected text missing";
    return NULL;
}

static void finish_response(Client *client) {
    const char *fault = fault_of(client);
    int64_t now = now_ns();
    if (fault) note_error(client, fault);
    else if (measuring(now)) add_sample(&load_run.latencies, now - client->started);
    client->busy = false;
    become_idle(client);
}

/* Payload bytes: counts the lines that begin with "data:", keeps the end of the body for the checks. */
static void take_payload(void *owner, const char *data, size_t length) {
    static const char pattern[] = "\ndata:";
    Client *client = owner;
    int64_t now = now_ns();
    bool counts = client->status == 200 && measuring(now);
    if (!client->first_byte) {
        client->first_byte = now;
        if (counts) add_sample(&load_run.first_bytes, now - client->started);
    }
    append(&client->body, data, length);
    if (client->body.length > KEPT_BODY) { /* the check may look at the end of a long answer */
        memmove(client->body.data, client->body.data + client->body.length - READ_SIZE, READ_SIZE);
        client->body.length = READ_SIZE;
    }
    if (!load_run.stream) return;
    uint64_t found = 0;
    for (size_t i = 0; i < length; i++) {
        if (data[i] == pattern[client->newline_run]) {
            if (++client->newline_run == 6) {
                if (counts && client->last_event) add_sample(&load_run.gaps, now - client->last_event);
                client->last_event = now;
                found++;
                client->newline_run = 0;
            }
        } else {
            client->newline_run = data[i] == '\n';
        }
    }
    client->events += found;
    if (counts) load_run.events += found;
}

/* False when the answer cannot be read. */
static bool take_response(Client *client, const char *data, size_t length) {
    while (length && client->busy) {
        if (!client->in_body) {
            size_t before = client->head.length;
            append(&client->head, data, length);
            size_t end = head_length(client->head.data, client->head.length);
            if (!end) return client->head.length < READ_SIZE;
            data += end - before;
            length -= end - before;
            const char *size = header(client->head.data, end, "content-length:");
            client->status = client->head.length > 12 ? atoi(client->head.data + 9) : 0;
            client->chunked = is_chunked(client->head.data, end);
            client->body_left = size ? strtoull(size, NULL, 10) : 0;
            client->in_body = true;
            if (!size && !client->chunked) return false;
        } else if (client->chunked) {
            size_t taken = decode_chunks(&client->chunks, data, length, take_payload, client);
            data += taken;
            length -= taken;
            if (client->chunks.state == CHUNK_BAD) return false;
            if (client->chunks.state == CHUNK_DONE) finish_response(client);
        } else {
            size_t take = length < client->body_left ? length : (size_t)client->body_left;
            take_payload(client, data, take);
            data += take;
            length -= take;
            client->body_left -= take;
        }
        if (client->busy && client->in_body && !client->chunked && !client->body_left) finish_response(client);
    }
    return true;
}

static void drive(Client *client, uint32_t events) {
    static char data[READ_SIZE];
    if (client->connecting) {
        int error = 0;
        socklen_t size = sizeof error;
        getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &size);
        if (error) {
            note_error(client, strerror(error));
            drop_connection(client);
            return;
        }
        if (!(events & EPOLLOUT)) return;
        client->connecting = false;
        watch(client->fd, EPOLLIN, client, EPOLL_CTL_MOD);
        become_idle(client);
        return;
    }
    if (events & EPOLLOUT) {
        watch(client->fd, EPOLLIN, client, EPOLL_CTL_MOD);
        write_request(client);
    }
    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR))) return;
    ssize_t got = recv(client->fd, data, sizeof data, 0);
    if (got < 0 && errno == EAGAIN) return;
    bool whole = got > 0 && take_response(client, data, (size_t)got);
    if (whole) return;
    if (client->busy) note_error(client, got > 0 ? "unreadable answer" : "connection closed");
    drop_connection(client);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Nearest rank of sorted samples; 0 when there are none. */
static double percentile(const Samples *sorted, double part) {
    return sorted->count ? sorted->values[(size_t)((double)(sorted->count - 1) * part)] : 0;
}

static void print_percentiles(const char *name, Samples *samples) {
    qsort(samples->values, samples->count, sizeof(double), by_size);
    printf("\"%s50_ms\":%.4f,\"%s90_ms\":%.4f,\"%s99_ms\":%.4f,", name, percentile(samples, 0.5), name,
           percentile(samples, 0.9), name, percentile(samples, 0.99));
}

/* Requests that are under way, and those of an open loop that are overdue. */
static uint64_t unanswered(const Client *clients, int connections) {
    uint64_t count = 0;
    for (int i = 0; i < connections; i++) count += clients[i].busy;
    if (load_run.rate <= 0) return count;
    double due = (double)(load_run.measure_until - load_run.open_since) / 1e9 * load_run.rate;
    return due > (double)load_run.scheduled ? count + (uint64_t)due - load_run.scheduled : count;
}

static double seconds_of(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void report(double seconds, const Client *clients, int connections) {
    struct rusage used;
    getrusage(RUSAGE_SELF, &used); /* before the sorting */
    double cpu = seconds_of(used.ru_utime) + seconds_of(used.ru_stime);
    size_t requests = load_run.latencies.count;
    printf("{\"requests\":%zu,\"rps\":%.1f,\"events_per_s\":%.1f,\"errors\":%lu,\"unanswered\":%lu,", requests,
           (double)requests / seconds, (double)load_run.events / seconds, (unsigned long)load_run.errors,
           (unsigned long)unanswered(clients, connections));
    print_percentiles("p", &load_run.latencies);
    print_percentiles("ttft", &load_run.first_bytes);
    print_percentiles("gap", &load_run.gaps);
    printf("\"client_cpu_s\":%.3f,\"first_error\":\"%s\"}\n", cpu, load_run.first_error);
}

static void read_file(const char *path, Buffer *into) {
    FILE *file = fopen(path, "rb");
    if (!file) die(path);
    char data[4096];
    for (size_t got; (got = fread(data, 1, sizeof data, file)) > 0;) append(into, data, got);
    fclose(file);
}

static void parse_address(char *text) {
    char *colon = strrchr(text, ':');
    if (!colon) die("-a wants HOST:PORT");
    *colon = 0;
    load_run.address.sin_family = AF_INET;
    load_run.address.sin_port = htons((uint16_t)atoi(colon + 1));
    if (inet_pton(AF_INET, text, &load_run.address.sin_addr) != 1) die("-a wants an IPv4 address");
    *colon = ':';
}

static int load(int argc, char **argv) {
    int connections = 32;
    double seconds = 5, warmup = 1;
    char *address = NULL;
    const char *path = NULL;
    Buffer headers = {0}, body = {0};
    append(&headers, "", 0);
    for (int option; (option = getopt(argc, argv, "a:u:b:c:d:w:r:sx:H:")) != -1;) {
        switch (option) {
        case 'a': address = optarg; break;
        case 'u': path = optarg; break;
        case 'b': read_file(optarg, &body); break;
        case 'c': connections = atoi(optarg); break;
        case 'd': seconds = atof(optarg); break;
        case 'w': warmup = atof(optarg); break;
        case 'r': load_run.rate = atof(optarg); break;
        case 's': load_run.stream = true; break;
        case 'x': load_run.expected = optarg; break;
        case 'H': appendf(&headers, "%s\r\n", optarg); break;
        default: return 2;
        }
    }
    if (!address || !path || !body.length || connections < 1) return 2;
    parse_address(address);
    appendf(&load_run.request,
            "POST %s HTTP/1.1\r\nhost: %s\r\ncontent-type: application/json\r\n%scontent-length: %zu\r\n\r\n", path,
            address, headers.data, body.length);
    append(&load_run.request, body.data, body.length);

    load_run.open_since = now_ns();
    load_run.measure_from = load_run.open_since + (int64_t)(warmup * 1e9);
    load_run.measure_until = load_run.measure_from + (int64_t)(seconds * 1e9);
    load_run.timer_fd = make_timer();
    watch(load_run.timer_fd, EPOLLIN, &load_run, EPOLL_CTL_ADD);
    Client *clients = calloc((size_t)connections, sizeof *clients);
    if (!clients) die("calloc");
    for (int i = 0; i < connections; i++) open_connection(&clients[i]);

    int64_t next_look = 0;
    struct epoll_event ready[MAX_EVENTS];
    while (now_ns() < load_run.measure_until) {
        int n = epoll_wait(epoll_fd, ready, MAX_EVENTS, 10);
        for (int i = 0; i < n; i++) {
            if (ready[i].data.ptr == &load_run) drain_timer(load_run.timer_fd);
            else drive(ready[i].data.ptr, ready[i].events);
        }
        if (load_run.rate > 0) send_due();
        int64_t now = now_ns();
        if (now < next_look) continue;
        next_look = now + 20000000;
        for (int i = 0; i < connections; i++)
            if (clients[i].fd < 0 && clients[i].retry_at < now) open_connection(&clients[i]);
    }
    report(seconds, clients, connections);
    return 0;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    epoll_fd = epoll_create1(0);
    if (epoll_fd < 0) die("epoll_create1");
    int result = 2;
    if (argc > 1 && !strcmp(argv[1], "serve")) result = serve(argc - 1, argv + 1);
    else if (argc > 1 && !strcmp(argv[1], "load")) result = load(argc - 1, argv + 1);
    if (result == 2) fprintf(stderr, "usage: llmbench serve|load ...; see the top of llmbench.c\n");
    return result;
}
