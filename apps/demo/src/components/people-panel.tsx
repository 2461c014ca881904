import { type ReactElement, type ReactNode, useRef, useState } from "react";
import type { Meeting } from "../meeting/meeting.ts";
import type { MeetingView, PersonView } from "../meeting/view.ts";
import { maxNameLength, tidyName } from "../link.ts";
import { Avatar, Dialog, Switch } from "./basics.tsx";
import {
  CameraIcon,
  CameraOffIcon,
  HandIcon,
  MicrophoneIcon,
  MicrophoneOffIcon,
  MoreIcon,
  MoveIcon,
  RemoveIcon,
  ScreenIcon,
} from "./icons.tsx";
import { QualityMark } from "./tile.tsx";

interface PeopleProps {
  readonly meeting: Meeting;
  readonly view: MeetingView;
}

/** Who is here and who waits; for hosts, what they may do about it. */
export function PeoplePanel(props: PeopleProps): ReactElement {
  const { meeting, view } = props;
  const hands = view.people.filter(({ handRaised }) => handRaised);
  const others = view.people.filter(({ handRaised }) => !handRaised);
  return (
    <div className="people">
      <div className="people-scroll">
        {view.canHost ? <Lobby {...props} /> : null}
        <h3>In the room ({view.people.length})</h3>
        <ul className="people-list">
          {[...hands, ...others].map((person) => (
            <Person key={person.id} person={person} meeting={meeting} view={view} />
          ))}
        </ul>
      </div>
      {view.canHost ? <HostTools {...props} /> : null}
    </div>
  );
}

function Lobby({ meeting, view }: PeopleProps): ReactElement | null {
  const { host } = meeting.room;
  if (view.lobby.length === 0) return null;
  return (
    <section className="lobby" aria-label="Waiting to come in">
      <div className="section-head">
        <h3>Waiting ({view.lobby.length})</h3>
        {view.lobby.length > 1 ? (
          <button
            type="button"
            className="quiet-button"
            onClick={() => void meeting.attempt(host.admit(view.lobby.map(({ id }) => id)))}
          >
            Let all in
          </button>
        ) : null}
      </div>
      <ul className="people-list">
        {view.lobby.map((guest) => {
          const name = guest.name === "" ? guest.userId : guest.name;
          return (
            <li key={guest.id} className="person">
              <div className="person-row">
                <Avatar name={name} small />
                <PersonName name={name} />
                <button
                  type="button"
                  className="quiet-button"
                  aria-label={`Turn ${name} away`}
                  onClick={() => void meeting.attempt(host.deny([guest.id]))}
                >
                  Deny
                </button>
                <button
                  type="button"
                  className="small-button"
                  aria-label={`Let ${name} in`}
                  onClick={() => void meeting.attempt(host.admit([guest.id]))}
                >
                  Let in
                </button>
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Person(props: PeopleProps & { readonly person: PersonView }): ReactElement {
  const { person, view } = props;
  const [isOpen, setOpen] = useState(false);
  const more = useRef<HTMLButtonElement>(null);
  const canAct = view.canHost && !person.isLocal;
  return (
    <li className="person" data-person={person.name}>
      <div className="person-row">
        <Avatar name={person.name} small />
        <PersonName
          name={person.name}
          role={[person.isLocal ? "You" : "", person.isHost ? "Host" : ""].filter((one) => one !== "").join(", ")}
        />
        {person.handRaised ? (
          <span className="mark mark-hand" role="img" aria-label="Hand raised" title="Hand raised">
            <HandIcon />
          </span>
        ) : null}
        {person.sharing ? (
          <span className="mark" role="img" aria-label="Shares a screen" title="Shares a screen">
            <ScreenIcon />
          </span>
        ) : null}
        <QualityMark quality={person.quality} />
        <span className="mark" role="img" aria-label={person.camera ? "Camera on" : "Camera off"}>
          {person.camera ? <CameraIcon /> : <CameraOffIcon />}
        </span>
        <span
          className={`mark${person.isSpeaking ? " is-speaking" : ""}`}
          role="img"
          aria-label={person.microphone ? "Microphone on" : "Muted"}
        >
          {person.microphone ? <MicrophoneIcon /> : <MicrophoneOffIcon />}
        </span>
        {canAct ? (
          <button
            ref={more}
            type="button"
            className="plain-button"
            aria-label={`Actions for ${person.name}`}
            aria-expanded={isOpen}
            onClick={() => setOpen(!isOpen)}
          >
            <MoreIcon />
          </button>
        ) : view.canHost ? (
          <span className="no-actions" />
        ) : null}
      </div>
      {canAct && isOpen ? (
        <PersonActions
          {...props}
          onDone={() => {
            // What has the focus goes away.
            more.current?.focus();
            setOpen(false);
          }}
        />
      ) : null}
    </li>
  );
}

function PersonName(props: { readonly name: string; readonly role?: string }): ReactElement {
  const { name, role = "" } = props;
  return (
    <span className="person-name" title={name}>
      <span>{name}</span>
      {role === "" ? null : <small>{role}</small>}
    </span>
  );
}

function Action(props: {
  readonly icon: ReactNode;
  readonly label: string;
  readonly isDanger?: boolean;
  readonly onClick: () => void;
}): ReactElement {
  const { icon, label, isDanger = false, onClick } = props;
  return (
    <button type="button" className={`action-button${isDanger ? " is-danger" : ""}`} onClick={onClick}>
      {icon}
      {label}
    </button>
  );
}

function PersonActions(
  props: PeopleProps & { readonly person: PersonView; readonly onDone: () => void },
): ReactElement {
  const { meeting, view, person, onDone } = props;
  const [asks, setAsks] = useState<"remove" | "move" | undefined>(undefined);
  const { host } = meeting.room;
  const act = (command: Promise<unknown>): void => {
    void command;
    setAsks(undefined);
    onDone();
  };
  return (
    <div className="person-actions" role="group" aria-label={`Actions for ${person.name}`}>
      {person.microphone ? (
        <Action icon={<MicrophoneOffIcon />} label="Mute" onClick={() => act(meeting.mute(person.id))} />
      ) : (
        <Action
          icon={<MicrophoneIcon />}
          label="Ask to unmute"
          onClick={() =>
            act(meeting.attempt(host.askToUnmute(person.id, "microphone"), `Asked ${person.name} to unmute`))
          }
        />
      )}
      {person.camera ? null : (
        <Action
          icon={<CameraIcon />}
          label="Ask for camera"
          onClick={() =>
            act(meeting.attempt(host.askToUnmute(person.id, "camera"), `Asked ${person.name} for the camera`))
          }
        />
      )}
      <Action icon={<MoveIcon />} label="Move to a breakout room" onClick={() => setAsks("move")} />
      <Action icon={<RemoveIcon />} label="Remove" isDanger onClick={() => setAsks("remove")} />
      {asks === "remove" ? (
        <Dialog title={`Remove ${person.name}?`} onClose={() => setAsks(undefined)}>
          <p>{person.name} leaves the meeting. You can also keep them from coming back.</p>
          <div className="dialog-foot">
            <button
              type="button"
              className="quiet-button is-danger"
              onClick={() => act(meeting.attempt(host.remove(person.id, { ban: true })))}
            >
              Remove for good
            </button>
            <button
              type="button"
              className="main-button is-danger"
              onClick={() => act(meeting.attempt(host.remove(person.id)))}
            >
              Remove
            </button>
          </div>
        </Dialog>
      ) : null}
      {asks === "move" ? (
        <MoveDialog
          name={person.name}
          groups={view.breakouts.map((id) => groupOf(id, view))}
          onClose={() => setAsks(undefined)}
          onMove={(group) => act(meeting.moveTo(person.id, group))}
        />
      ) : null}
    </div>
  );
}

/** What of a breakout room's id its host has named. */
function groupOf(roomId: string, view: MeetingView): string {
  return roomId.slice(view.homeRoomId.length + 1);
}

function MoveDialog(props: {
  readonly name: string;
  readonly groups: readonly string[];
  readonly onClose: () => void;
  readonly onMove: (group: string) => void;
}): ReactElement {
  const { name, groups, onClose, onMove } = props;
  const [group, setGroup] = useState(groups[0] ?? "Group 1");
  return (
    <Dialog title={`Move ${name}`} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (tidyName(group) !== "") onMove(tidyName(group));
        }}
      >
        <label className="field">
          <span>Breakout room</span>
          <input
            list="breakouts"
            value={group}
            maxLength={maxNameLength}
            onChange={(event) => setGroup(event.target.value)}
          />
        </label>
        <datalist id="breakouts">
          {groups.map((one) => (
            <option key={one} value={one} />
          ))}
        </datalist>
        <div className="dialog-foot">
          <button type="button" className="quiet-button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" className="main-button">
            Move
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function HostTools({ meeting, view }: PeopleProps): ReactElement {
  const { host } = meeting.room;
  const [isClosing, setClosing] = useState(false);
  return (
    <section className="host-tools" aria-label="Host tools">
      <h3>Host tools</h3>
      <Switch
        label="Lobby"
        hint="New people wait until you let them in"
        checked={view.lobbyEnabled}
        onChange={(lobbyEnabled) => void meeting.attempt(host.updateRoom({ lobbyEnabled }))}
      />
      <Switch
        label="Lock the room"
        hint="Nobody else can join"
        checked={view.locked}
        onChange={(locked) => void meeting.attempt(host.updateRoom({ locked }))}
      />
      {view.breakouts.map((room) => (
        <div key={room} className="section-head">
          <span className="one-line" title={room}>
            {groupOf(room, view)}
          </span>
          <button type="button" className="quiet-button" onClick={() => void meeting.bringBack(room)}>
            Bring back
          </button>
        </div>
      ))}
      <div className="host-buttons">
        <button
          type="button"
          className="quiet-button"
          onClick={() => void meeting.attempt(host.muteAll(), "Everybody is muted")}
        >
          Mute all
        </button>
        <button type="button" className="quiet-button is-danger" onClick={() => setClosing(true)}>
          End for all
        </button>
      </div>
      {isClosing ? (
        <Dialog title="End the meeting for everybody?" onClose={() => setClosing(false)}>
          <p>{view.people.length === 1 ? "The room is closed." : `All ${view.people.length} people leave the room.`}</p>
          <div className="dialog-foot">
            <button type="button" className="quiet-button" onClick={() => setClosing(false)}>
              Cancel
            </button>
            <button
              type="button"
              className="main-button is-danger"
              onClick={() => void meeting.attempt(host.closeRoom())}
            >
              End for all
            </button>
          </div>
        </Dialog>
      ) : null}
    </section>
  );
}
