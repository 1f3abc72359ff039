// A small key-value service, the demo of the README: `demo [SECONDS]`.
//
// Two `worker` threads take requests from a queue, which one `listener` thread fills, and answer
// them: parse, route, look up, render, compress, checksum. A `compactor` thread sorts the journal
// now and then. Built with `-O2 -fomit-frame-pointer`, like most software that is installed.
//
// Truth: below `Worker::run`, `compress` is the hottest function (see SHARES in tests/targets.py for
// the measured split), and every stack ends in `main` or in a thread's start.
#include <pthread.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "program.h"

namespace kv {

constexpr int KEYS = 4096;
constexpr int WORKERS = 2;
constexpr int BATCH = 64;
constexpr std::size_t QUEUE_LIMIT = 16;
constexpr std::size_t JOURNAL_LIMIT = 20000;
constexpr std::chrono::milliseconds COMPACT_EVERY(25);

struct Random {
    std::uint64_t state;

    std::uint32_t next()
    {
        state = state * 6364136223846793005U + 1442695040888963407U;
        return static_cast<std::uint32_t>(state >> 33);
    }
};

struct Request {
    std::string method;
    std::string key;
    std::map<std::string, std::string> headers;
};

struct Response {
    std::string body;
    std::uint32_t checksum = 0;
};

struct Entry {
    std::string key;
    std::uint32_t checksum;
};

// ---- what the service keeps
class Store {
public:
    Store()
    {
        Random random{42};
        for (int i = 0; i < KEYS; i++) {
            std::string &value = values_["user:" + std::to_string(i)];
            while (value.size() < 400)
                value += "field-" + std::to_string(random.next() % 50) + "=on;";
        }
    }

    NOINLINE const std::string *find(const std::string &key) const
    {
        auto found = values_.find(key);
        return found == values_.end() ? nullptr : &found->second;
    }

    template <typename Visitor>
    NOINLINE void scan(const std::string &from, int count, Visitor visit) const
    {
        for (auto at = values_.lower_bound(from); at != values_.end() && count-- > 0; ++at)
            visit(at->first, at->second);
    }

private:
    std::map<std::string, std::string> values_;
};

class Journal {
public:
    void add(const std::string &key, std::uint32_t checksum)
    {
        std::lock_guard lock(mutex_);
        if (entries_.size() < JOURNAL_LIMIT)
            entries_.push_back({key, checksum});
    }

    NOINLINE void compact()
    {
        std::vector<Entry> entries;
        {
            std::lock_guard lock(mutex_);
            entries.swap(entries_);
        }
        std::sort(entries.begin(), entries.end(), [](const Entry &left, const Entry &right) {
            return std::tie(left.key, left.checksum) < std::tie(right.key, right.checksum);
        });
        sink = entries.size();
    }

private:
    std::mutex mutex_;
    std::vector<Entry> entries_;
};

// ---- what is done to bytes
std::array<std::uint32_t, 16> checksum_table()
{
    std::array<std::uint32_t, 16> table{};
    for (std::uint32_t i = 0; i < table.size(); i++) {
        table[i] = i;
        for (int bit = 0; bit < 4; bit++)
            table[i] = (table[i] >> 1) ^ (0xedb88320U & (0U - (table[i] & 1)));
    }
    return table;
}

NOINLINE std::uint32_t checksum(std::string_view bytes)
{
    static const std::array<std::uint32_t, 16> table = checksum_table();
    std::uint32_t crc = ~0U;
    for (unsigned char byte : bytes) {
        crc ^= byte;
        crc = (crc >> 4) ^ table[crc & 15];
        crc = (crc >> 4) ^ table[crc & 15];
    }
    return ~crc;
}

NOINLINE std::size_t match_length(std::string_view text, std::size_t a, std::size_t b)
{
    std::size_t length = 0;
    while (b + length < text.size() && length < 255 && text[a + length] == text[b + length])
        length++;
    return length;
}

NOINLINE std::string compress(std::string_view text)
{
    std::array<std::size_t, 1024> last{};
    std::string output;
    for (std::size_t at = 0; at < text.size();) {
        std::uint32_t hash = 2166136261U;
        for (std::size_t i = at; i < std::min(at + 4, text.size()); i++)
            hash = (hash ^ static_cast<unsigned char>(text[i])) * 16777619U;
        std::size_t &candidate = last[hash % last.size()];
        std::size_t length = candidate < at ? match_length(text, candidate, at) : 0;
        if (length >= 4) {
            output += '\xff';
            output += static_cast<char>(length);
            output += static_cast<char>((at - candidate) & 0xff);
        } else {
            output += text[at];
            length = 1;
        }
        candidate = at;
        at += length;
    }
    return output;
}

// ---- from text to requests
class Parser {
public:
    explicit Parser(std::string_view text) : rest_(text) {}

    NOINLINE Request parse()
    {
        Request request;
        request.method = word(' ');
        request.key = word('\n');
        while (!rest_.empty())
            parse_header(request);
        return request;
    }

private:
    NOINLINE void parse_header(Request &request)
    {
        std::string name = word(':');
        request.headers[name] = word('\n');
    }

    std::string word(char end)
    {
        std::size_t length = std::min(rest_.find(end), rest_.size());
        std::string found(rest_.substr(0, length));
        rest_.remove_prefix(std::min(length + 1, rest_.size()));
        return found;
    }

    std::string_view rest_;
};

// ---- handlers, one a method
class Handler {
public:
    virtual ~Handler() = default;
    virtual std::string handle(const Request &request) const = 0;
};

class GetHandler final : public Handler {
public:
    explicit GetHandler(const Store &store) : store_(store) {}

    NOINLINE std::string handle(const Request &request) const override
    {
        const std::string *value = store_.find(request.key);
        return value ? *value : "not found";
    }

private:
    const Store &store_;
};

class ScanHandler final : public Handler {
public:
    explicit ScanHandler(const Store &store) : store_(store) {}

    NOINLINE std::string handle(const Request &request) const override
    {
        std::string body;
        store_.scan(request.key, 8, [&body](const std::string &key, const std::string &value) {
            body += key + ": " + value + "\n";
        });
        return body;
    }

private:
    const Store &store_;
};

class Router {
public:
    explicit Router(const Store &store)
    {
        handlers_["GET"] = std::make_unique<GetHandler>(store);
        handlers_["SCAN"] = std::make_unique<ScanHandler>(store);
    }

    NOINLINE std::string dispatch(const Request &request) const
    {
        return handlers_.at(request.method)->handle(request);
    }

private:
    std::unordered_map<std::string, std::unique_ptr<Handler>> handlers_;
};

// ---- threads
using Batch = std::vector<std::string>;

class Queue {
public:
    void push(Batch batch)
    {
        std::unique_lock lock(mutex_);
        room_.wait(lock, [this] { return batches_.size() < QUEUE_LIMIT; });
        batches_.push_back(std::move(batch));
        filled_.notify_one();
    }

    Batch pop()
    {
        std::unique_lock lock(mutex_);
        filled_.wait(lock, [this] { return !batches_.empty(); });
        Batch batch = std::move(batches_.front());
        batches_.pop_front();
        room_.notify_one();
        return batch;
    }

private:
    std::mutex mutex_;
    std::condition_variable filled_, room_;
    std::deque<Batch> batches_;
};

using Filter = std::function<std::string(std::string)>;

class Worker {
public:
    Worker(Queue &queue, const Store &store, Journal &journal)
        : queue_(queue), router_(store), journal_(journal)
    {
        filters_.push_back([](std::string body) { return compress(body); });
    }

    NOINLINE void run()
    {
        for (;;)
            for (const std::string &text : queue_.pop())
                serve(text);
    }

private:
    NOINLINE void serve(const std::string &text)
    {
        Request request = Parser(text).parse();
        Response response = render(request);
        journal_.add(request.key, response.checksum);
    }

    NOINLINE Response render(const Request &request)
    {
        Response response;
        response.body = router_.dispatch(request);
        for (const Filter &filter : filters_)
            response.body = filter(std::move(response.body));
        response.checksum = checksum(response.body);
        return response;
    }

    Queue &queue_;
    Router router_;
    Journal &journal_;
    std::vector<Filter> filters_;
};

NOINLINE std::string receive(Random &random)
{
    std::string key = "user:" + std::to_string(random.next() % KEYS);
    const char *method = random.next() % 4 == 0 ? "SCAN " : "GET ";
    return method + key + "\nhost: example\naccept: text/plain\nagent: demo/1.0\n";
}

NOINLINE void listen(Queue &queue)
{
    Random random{7};
    for (;;) {
        Batch batch;
        for (int i = 0; i < BATCH; i++)
            batch.push_back(receive(random));
        queue.push(std::move(batch));
    }
}

NOINLINE void compact_often(Journal &journal)
{
    for (;;) {
        std::this_thread::sleep_for(COMPACT_EVERY);
        journal.compact();
    }
}

template <typename Work>
std::thread start(const char *name, Work work)
{
    std::thread thread(work);
    pthread_setname_np(thread.native_handle(), name);
    return thread;
}

} // namespace kv

int main(int argc, char **argv)
{
    kv::Store store;
    kv::Journal journal;
    kv::Queue queue;
    std::vector<std::thread> threads;
    for (int i = 0; i < kv::WORKERS; i++)
        threads.push_back(kv::start("worker", [&] { kv::Worker(queue, store, journal).run(); }));
    threads.push_back(kv::start("compactor", [&] { kv::compact_often(journal); }));
    threads.push_back(kv::start("listener", [&] { kv::listen(queue); }));
    ready(argc, argv);
    for (std::thread &thread : threads)
        thread.join();
}
