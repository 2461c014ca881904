// What the control part wants of a worker.
#include "parley/engine/worker.h"

namespace parley {

void Worker::apply(Command& command) {
  switch (command.type) {
    case CommandType::kOpenPeer: return open_peer(command);
    case CommandType::kSendTo: {
      const auto& bytes = std::get<std::vector<uint8_t>>(command.data);
      return send_to(command.path, bytes.data(), bytes.size());
    }
    case CommandType::kInstallPath: return install_path(command.path, command.handle, command.worker);
    case CommandType::kRemovePath: return remove_path(command.path, command.handle, command.worker);
    case CommandType::kOpenTrack: return open_track(command.handle, *std::get<std::unique_ptr<TrackData>>(command.data));
    case CommandType::kOpenSlot: return open_slot(command.handle, *std::get<std::unique_ptr<SlotData>>(command.data));
    default: break;
  }
  switch (command.type) {
    case CommandType::kRestartIce:
    case CommandType::kRetirePreviousIce:
    case CommandType::kAddPath:
    case CommandType::kSelectPath:
    case CommandType::kSetSrtpKeys:
    case CommandType::kClosePeer:
    case CommandType::kPathClosed:
    case CommandType::kSetPeerCodecs:
    case CommandType::kSetPacingRate: {
      Peer* peer = peers_.find(command.handle);
      if (peer == nullptr) {
        ++stale_commands_;
        return;
      }
      if (command.type == CommandType::kRestartIce) {
        restart_ice(*peer, *std::get<std::unique_ptr<IceData>>(command.data));
      } else if (command.type == CommandType::kRetirePreviousIce) {
        peer->previous_ice.reset();
      } else if (command.type == CommandType::kAddPath) {
        add_path(*peer, command.path);
      } else if (command.type == CommandType::kSelectPath) {
        select_path(*peer, command.path);
      } else if (command.type == CommandType::kSetSrtpKeys) {
        set_keys(*peer, *std::get<std::unique_ptr<DtlsSrtpKeys>>(command.data));
      } else if (command.type == CommandType::kSetPeerCodecs) {
        set_codecs(*peer, *std::get<std::unique_ptr<CodecsData>>(command.data));
      } else if (command.type == CommandType::kSetPacingRate) {
        peer->pacing.bucket.set_rate(std::get<PacingData>(command.data).bitrate_bps, now_us_);
      } else if (command.type == CommandType::kPathClosed) {
        for (size_t i = 0; i < peer->paths.size(); ++i) {
          if (!(peer->paths[i] == command.path)) continue;
          drop_path(*peer, i, false);
          const EventRing::Piece pieces[] = {{&peer->handle, sizeof(peer->handle)},
                                             {&command.path, sizeof(command.path)}};
          add_event(EventType::kPathClosed, pieces, 2);
          break;
        }
      } else {
        close_peer(*peer, command.flag);
      }
      return;
    }
    case CommandType::kSetTrackPaused:
    case CommandType::kRequestKeyFrame:
    case CommandType::kCloseTrack:
    case CommandType::kSubscribe:
    case CommandType::kUnsubscribe:
    case CommandType::kReplicaOpened:
    case CommandType::kReplicaClosed: {
      Track* track = tracks_.find(command.handle);
      const bool replica_command =
          command.type == CommandType::kReplicaOpened || command.type == CommandType::kReplicaClosed;
      if (track == nullptr || (track->peer == nullptr) != replica_command) {
        if (command.type == CommandType::kSubscribe) {
          Command answer;
          answer.type = CommandType::kReplicaClosed;
          answer.handle = command.handle;
          shared_.workers[command.worker]->post(std::move(answer));
        } else {
          ++stale_commands_;
        }
        return;
      }
      if (command.type == CommandType::kSetTrackPaused) {
        // A resumed video begins with a key frame: what was missed cannot be decoded around.
        if (track->paused && !command.flag && track->video && (!track->slots.empty() || track->remote_workers != 0)) {
          request_key_frame(*track);
        }
        track->paused = command.flag;
      } else if (command.type == CommandType::kRequestKeyFrame) {
        request_key_frame(*track);
      } else if (command.type == CommandType::kCloseTrack) {
        close_track(*track);
      } else if (command.type == CommandType::kSubscribe) {
        track->remote_workers |= uint64_t{1} << command.worker;
        Command answer;
        answer.type = CommandType::kReplicaOpened;
        answer.handle = track->handle;
        answer.data = ReplicaData{track->video, track->paused, track->stream_id};
        shared_.workers[command.worker]->post(std::move(answer));
      } else if (command.type == CommandType::kUnsubscribe) {
        track->remote_workers &= ~(uint64_t{1} << command.worker);
      } else if (command.type == CommandType::kReplicaOpened) {
        const auto& data = std::get<ReplicaData>(command.data);
        track->video = data.video;
        track->stream_id = data.stream_id;
        track->ready = true;
      } else {
        drop_replica(*track);
      }
      return;
    }
    case CommandType::kBindSlot:
    case CommandType::kCloseSlot: {
      Slot* slot = slots_.find(command.handle);
      if (slot == nullptr) {
        ++stale_commands_;
      } else if (command.type == CommandType::kBindSlot) {
        bind_slot(*slot, *std::get<std::unique_ptr<BindData>>(command.data));
      } else {
        close_slot(*slot);
      }
      return;
    }
    default: return;
  }
}

}  // namespace parley
