// The test framework: TEST("name") { CHECK(condition); CHECK_EQ(left, right); }. Every test binary is its own program; this
// header holds its main. A failed check ends its test and the binary ends with 1.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace parley::test {

struct Failure {};

struct Case {
  const char* name;
  void (*run)();
};

inline std::vector<Case>& cases() {
  static std::vector<Case> all;
  return all;
}

struct Registration {
  Registration(const char* name, void (*run)()) { cases().push_back({name, run}); }
};

template <typename T>
std::string show(const T& value) {
  if constexpr (std::is_same_v<T, uint8_t> || std::is_same_v<T, int8_t>) {
    return std::to_string(static_cast<int>(value));
  } else if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long long>(value));
  } else if constexpr (requires(std::ostringstream& out) { out << value; }) {
    std::ostringstream out;
    out << value;
    return out.str();
  } else {
    return "?";
  }
}

[[noreturn]] inline void fail(const char* file, int line, const std::string& text) {
  std::fprintf(stderr, "  %s:%d: %s\n", file, line, text.c_str());
  throw Failure{};
}

template <typename A, typename B>
void check_eq(const A& a, const B& b, const char* a_text, const char* b_text, const char* file, int line) {
  bool equal;
  if constexpr (std::is_integral_v<A> && std::is_integral_v<B> && !std::is_same_v<A, bool> && !std::is_same_v<B, bool> &&
                !std::is_same_v<A, char> && !std::is_same_v<B, char>) {
    equal = std::cmp_equal(a, b);
  } else {
    equal = a == b;
  }
  if (!equal) {
    fail(file, line, std::string(a_text) + " == " + b_text + " (" + show(a) + " != " + show(b) + ")");
  }
}

/** Bytes from hexadecimal text; blanks and line ends are skipped. */
inline std::vector<uint8_t> hex(std::string_view text) {
  std::vector<uint8_t> out;
  int high = -1;
  for (char c : text) {
    int digit;
    if (c >= '0' && c <= '9') digit = c - '0';
    else if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    else if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    else continue;
    if (high < 0) {
      high = digit;
    } else {
      out.push_back(static_cast<uint8_t>(high << 4 | digit));
      high = -1;
    }
  }
  return out;
}

inline std::string to_hex(std::span<const uint8_t> bytes) {
  static const char* digits = "0123456789abcdef";
  std::string out;
  for (uint8_t b : bytes) {
    out += digits[b >> 4];
    out += digits[b & 15];
  }
  return out;
}

/** Seeded randomness (splitmix64), the same on every machine. */
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  uint64_t next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }
  /** 0 to bound - 1. */
  uint64_t below(uint64_t bound) { return next() % bound; }
  /** Both ends included. */
  int64_t between(int64_t low, int64_t high) { return low + static_cast<int64_t>(below(static_cast<uint64_t>(high - low) + 1)); }
  double unit() { return static_cast<double>(next() >> 11) * 0x1p-53; }
  bool chance(double probability) { return unit() < probability; }

 private:
  uint64_t state_;
};

}  // namespace parley::test

#define PARLEY_TEST_JOIN2(a, b) a##b
#define PARLEY_TEST_JOIN(a, b) PARLEY_TEST_JOIN2(a, b)
#define PARLEY_TEST_CASE(name, id)                                                        \
  static void PARLEY_TEST_JOIN(test_case_, id)();                                         \
  static const ::parley::test::Registration PARLEY_TEST_JOIN(test_registration_, id)(     \
      name, &PARLEY_TEST_JOIN(test_case_, id));                                           \
  static void PARLEY_TEST_JOIN(test_case_, id)()
#define TEST(name) PARLEY_TEST_CASE(name, __COUNTER__)
#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) ::parley::test::fail(__FILE__, __LINE__, #condition);       \
  } while (0)
#define CHECK_EQ(a, b) ::parley::test::check_eq((a), (b), #a, #b, __FILE__, __LINE__)

int main(int argc, char** argv) {
  // An argument picks the tests whose name contains it.
  const char* only = argc > 1 ? argv[1] : "";
  int failed = 0;
  int run = 0;
  for (const auto& test : parley::test::cases()) {
    if (std::strstr(test.name, only) == nullptr) continue;
    ++run;
    try {
      test.run();
    } catch (const parley::test::Failure&) {
      ++failed;
      std::fprintf(stderr, "not ok - %s\n", test.name);
    }
  }
  const char* slash = std::strrchr(argv[0], '/');
  std::printf("%s %s: %d of %d\n", failed == 0 ? "ok" : "NOT OK", slash ? slash + 1 : argv[0], run - failed, run);
  return failed == 0 ? 0 : 1;
}
