import type { ReactElement, ReactNode } from "react";

function icon(children: ReactNode): () => ReactElement {
  return function Icon() {
    return (
      <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
        {children}
      </svg>
    );
  };
}

const microphone = (
  <>
    <rect x="9" y="3" width="6" height="11" rx="3" />
    <path d="M5.5 11.500a6.5 6.5 0 0 0 13 0M12 18v3M8.5 21h7" />
  </>
);
const camera = (
  <>
    <rect x="2.5" y="6" width="13" height="12" rx="3" />
    <path d="m15.5 10.5 6-3.500v10l-6-3.500z" />
  </>
);
const slash = <path className="icon-slash" d="m3.5 3.5 17 17" />;

export const MicrophoneIcon = icon(microphone);
export const MicrophoneOffIcon = icon(
  <>
    {microphone}
    {slash}
  </>,
);
export const CameraIcon = icon(camera);
export const CameraOffIcon = icon(
  <>
    {camera}
    {slash}
  </>,
);
export const ScreenIcon = icon(
  <>
    <rect x="2.5" y="4" width="19" height="13" rx="2.5" />
    <path d="M12 14V8m0 0-2.6 2.600M12 8l2.6 2.600M8.5 21h7" />
  </>,
);
export const HandIcon = icon(
  <path d="M8 13V5.500a1.5 1.5 0 0 1 3 0V11 4a1.5 1.5 0 0 1 3 0v7-5.500a1.5 1.5 0 0 1 3 0V12 8.500a1.5 1.5 0 0 1 3 0V15a6.5 6.5 0 0 1-6.5 6.500h-1c-2 0-3.5-.8-4.6-2.400L4.3 14.500a1.5 1.5 0 0 1 2.5-1.700L8 14.5" />,
);
export const PeopleIcon = icon(
  <>
    <circle cx="9" cy="8" r="3.5" />
    <path d="M2.5 20c0-3.6 2.9-6 6.5-6s6.5 2.4 6.5 6M16 4.800a3.5 3.5 0 0 1 0 6.400M18 14.600c2.1.8 3.5 2.7 3.5 5.4" />
  </>,
);
export const ChatIcon = icon(
  <path d="M5.5 4h13A2.5 2.5 0 0 1 21 6.500v8a2.5 2.5 0 0 1-2.5 2.500H11l-4.5 4v-4h-1A2.5 2.5 0 0 1 3 14.500v-8A2.5 2.5 0 0 1 5.5 4zM7.5 9h9M7.5 12.500h6" />,
);
export const SettingsIcon = icon(
  <>
    <path d="M4 7h8m5 0h3M4 17h3m5 0h8" />
    <circle cx="14.5" cy="7" r="2.5" />
    <circle cx="9.5" cy="17" r="2.5" />
  </>,
);
export const GridIcon = icon(
  <>
    <rect x="3" y="4" width="8" height="7" rx="1.8" />
    <rect x="13" y="4" width="8" height="7" rx="1.8" />
    <rect x="3" y="13" width="8" height="7" rx="1.8" />
    <rect x="13" y="13" width="8" height="7" rx="1.8" />
  </>,
);
export const SpeakerViewIcon = icon(
  <>
    <rect x="3" y="4" width="12" height="16" rx="2.2" />
    <path d="M18 5.500h3M18 12h3M18 18.500h3" />
  </>,
);
export const LeaveIcon = icon(
  <path d="M3 14.800c-.7-.9-.6-2.3.3-3.100C5.7 9.7 8.7 8.6 12 8.600s6.3 1.1 8.7 3.100c.9.8 1 2.2.3 3.100l-.8 1c-.4.5-1.1.6-1.7.300l-2.7-1.500a1.2 1.2 0 0 1-.6-1.200l.1-1.400a10 10 0 0 0-6.6 0l.1 1.400a1.2 1.2 0 0 1-.6 1.200l-2.7 1.500c-.6.3-1.3.2-1.7-.300z" />,
);
export const MoreIcon = icon(
  <g className="icon-solid">
    <circle cx="5" cy="12" r="1.7" />
    <circle cx="12" cy="12" r="1.7" />
    <circle cx="19" cy="12" r="1.7" />
  </g>,
);
export const CloseIcon = icon(<path d="m6 6 12 12M18 6 6 18" />);
export const SendIcon = icon(<path d="M4 12 3.5 4.5 21 12 3.5 19.500zm0 0h8" />);
export const PinIcon = icon(<path d="M9 3.500h6l-1 6 3.5 3v2h-11v-2l3.5-3zM12 14.500v6" />);
export const PreviousIcon = icon(<path d="m14.5 5.5-6.5 6.5 6.5 6.5" />);
export const NextIcon = icon(<path d="m9.5 5.5 6.5 6.5-6.5 6.5" />);
export const LinkIcon = icon(
  <path d="M10 14a4 4 0 0 0 6 .400l3-3a4.2 4.2 0 0 0-6-6l-1.2 1.200M14 10a4 4 0 0 0-6-.400l-3 3a4.2 4.2 0 0 0 6 6l1.2-1.2" />,
);
export const LockIcon = icon(
  <>
    <rect x="5" y="11" width="14" height="9.5" rx="2.5" />
    <path d="M8 11V8a4 4 0 0 1 8 0v3" />
  </>,
);
export const WarningIcon = icon(<path d="M12 4 2.8 19.500h18.400zM12 10v4.500m0 2.500v.2" />);
export const MoveIcon = icon(
  <path d="M11 4H6.500A2.5 2.5 0 0 0 4 6.500v11A2.5 2.5 0 0 0 6.500 20H11M10 12h10.500m0 0-4-4m4 4-4 4" />,
);
export const RemoveIcon = icon(
  <>
    <circle cx="10" cy="8" r="3.5" />
    <path d="M3.5 20c0-3.6 2.9-6 6.5-6 2.2 0 4.1.9 5.3 2.300M16.500 11.500l5 5m0-5-5 5" />
  </>,
);
/** In the script, not a file: it is to be seen while the server is away, too. As `public/icon.svg`. */
export function LogoIcon(): ReactElement {
  return (
    <svg viewBox="0 0 32 32" width="28" height="28" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" fill="#4f46e5" />
      <path
        d="M8 9.5A2.5 2.5 0 0 1 10.500 7h11A2.500 2.500 0 0 1 24 9.500v8a2.500 2.500 0 0 1-2.500 2.500H15l-4.600 4.300c-.5.5-1.400.1-1.400-.6V19.600a2.500 2.500 0 0 1-1-2.100z"
        fill="#fff"
      />
      <path d="M12.500 13.500h.01m3.990 0h.01m3.990 0h.01" stroke="#4f46e5" strokeWidth="3" strokeLinecap="round" />
    </svg>
  );
}
