#include "hmac_sha1.h"
#include "parley/crypto/srtp.h"
#include "srtp_transform.h"
#include "vaes_gcm.h"

namespace parley {
namespace {

// With fewer packets than this the lanes are too empty to win over one after the other (srtp_bench).
constexpr size_t kWorthLanes = 4;

}  // namespace

struct SrtpTagBatch::Jobs {
  std::array<HmacSha1Job, kHmacSha1Lanes> job;
  size_t count = 0;
};

SrtpTagBatch::SrtpTagBatch() : jobs_(std::make_unique<Jobs>()) {}
SrtpTagBatch::~SrtpTagBatch() = default;

void SrtpTagBatch::add(const HmacSha1& key, const uint8_t* data, size_t size, uint32_t suffix, uint8_t* tag) {
  HmacSha1Job& job = jobs_->job[jobs_->count++];
  job.key = key;
  job.data = data;
  job.size = static_cast<uint32_t>(size);
  job.suffix = suffix;
  job.tag = tag;
  if (jobs_->count == kHmacSha1Lanes) finish();
}

void SrtpTagBatch::finish() {
  const std::span<const HmacSha1Job> jobs(jobs_->job.data(), jobs_->count);
  if (jobs.empty()) return;
  if (jobs.size() >= kWorthLanes && vaes_available()) {
    hmac_sha1_lanes(jobs);
  } else {
    for (const HmacSha1Job& job : jobs) job.key.tag({job.data, job.size}, job.suffix, job.tag);
  }
  jobs_->count = 0;
}

}  // namespace parley
