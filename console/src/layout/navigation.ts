/** The places of the console, and what one must be allowed to see to be led there. */
import type { SvgIconComponent } from '@mui/icons-material';
import AppsIcon from '@mui/icons-material/AppsOutlined';
import AutoDeleteIcon from '@mui/icons-material/AutoDeleteOutlined';
import BadgeIcon from '@mui/icons-material/BadgeOutlined';
import CloudDownloadIcon from '@mui/icons-material/CloudDownloadOutlined';
import DnsIcon from '@mui/icons-material/DnsOutlined';
import EventRepeatIcon from '@mui/icons-material/WorkHistoryOutlined';
import GppGoodIcon from '@mui/icons-material/GppGoodOutlined';
import GrassIcon from '@mui/icons-material/SpaOutlined';
import GroupIcon from '@mui/icons-material/GroupOutlined';
import HistoryIcon from '@mui/icons-material/HistoryOutlined';
import HubIcon from '@mui/icons-material/HubOutlined';
import InventoryIcon from '@mui/icons-material/Inventory2Outlined';
import KeyIcon from '@mui/icons-material/KeyOutlined';
import LayersIcon from '@mui/icons-material/LayersOutlined';
import LoginIcon from '@mui/icons-material/LoginOutlined';
import MonitorHeartIcon from '@mui/icons-material/MonitorHeartOutlined';
import QueryStatsIcon from '@mui/icons-material/QueryStatsOutlined';
import ScatterPlotIcon from '@mui/icons-material/ScatterPlotOutlined';
import SpaceDashboardIcon from '@mui/icons-material/SpaceDashboardOutlined';
import StorageIcon from '@mui/icons-material/LanOutlined';
import SyncIcon from '@mui/icons-material/SyncOutlined';
import TuneIcon from '@mui/icons-material/TuneOutlined';
import type { PlainKey } from '../i18n/text.ts';
import type { AccessObject } from '../session/session-query.ts';

export interface Place {
  readonly to: string;
  readonly label: PlainKey;
  readonly icon: SvgIconComponent;
  readonly object?: AccessObject;
}

export interface PlaceGroup {
  readonly label?: PlainKey;
  readonly places: readonly Place[];
}

export const placeGroups: readonly PlaceGroup[] = [
  { places: [{ to: '/', label: 'nav.overview', icon: SpaceDashboardIcon }] },
  {
    label: 'nav.distribution',
    places: [
      { to: '/tasks', label: 'nav.tasks', icon: ScatterPlotIcon, object: 'tasks' },
      { to: '/kept', label: 'nav.keptTasks', icon: InventoryIcon, object: 'persistent-cache-tasks' },
      { to: '/releases', label: 'nav.releases', icon: LayersIcon, object: 'releases' },
      { to: '/replication', label: 'nav.replication', icon: SyncIcon, object: 'replication-rules' },
      { to: '/history', label: 'nav.history', icon: QueryStatsIcon, object: 'traffic' },
      { to: '/jobs', label: 'nav.jobs', icon: EventRepeatIcon, object: 'jobs' },
      { to: '/preheat', label: 'nav.preheat', icon: CloudDownloadIcon, object: 'jobs' },
    ],
  },
  {
    label: 'nav.infrastructure',
    places: [
      { to: '/clusters', label: 'nav.clusters', icon: HubIcon, object: 'clusters' },
      { to: '/nodes', label: 'nav.nodes', icon: MonitorHeartIcon, object: 'nodes' },
      { to: '/schedulers', label: 'nav.schedulers', icon: StorageIcon, object: 'schedulers' },
      { to: '/seed-peers', label: 'nav.seedPeers', icon: GrassIcon, object: 'seed-peers' },
      { to: '/peers', label: 'nav.peers', icon: DnsIcon, object: 'peers' },
      { to: '/applications', label: 'nav.applications', icon: AppsIcon, object: 'applications' },
    ],
  },
  {
    label: 'nav.access',
    places: [
      { to: '/users', label: 'nav.users', icon: GroupIcon, object: 'users' },
      { to: '/roles', label: 'nav.roles', icon: BadgeIcon, object: 'roles' },
      { to: '/tokens', label: 'nav.tokens', icon: KeyIcon, object: 'personal-access-tokens' },
      { to: '/oauth', label: 'nav.oauth', icon: LoginIcon, object: 'oauth' },
      { to: '/certificates', label: 'nav.certificates', icon: GppGoodIcon, object: 'certificates' },
    ],
  },
  {
    label: 'nav.system',
    places: [
      { to: '/configuration', label: 'nav.configuration', icon: TuneIcon, object: 'configs' },
      { to: '/audit', label: 'nav.audit', icon: HistoryIcon, object: 'audits' },
      { to: '/gc', label: 'nav.gc', icon: AutoDeleteIcon, object: 'configs' },
    ],
  },
];
