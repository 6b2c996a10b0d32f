/** Which address shows which page. Every page is loaded when it is first visited. */
import { createBrowserRouter, type RouteObject } from 'react-router';
import type { ComponentType } from 'react';
import { Loading } from '../components/loading.tsx';
import { Shell } from '../layout/shell.tsx';
import { NotFoundPage } from './not-found-page.tsx';
import { RouteError } from './route-error.tsx';

type PageModule<Name extends string> = Readonly<Record<Name, ComponentType>>;

function page<Name extends string>(path: string, name: Name, load: () => Promise<PageModule<Name>>): RouteObject {
  const lazy = async (): Promise<{ Component: ComponentType }> => ({ Component: (await load())[name] });
  return path === '/' ? { index: true, lazy } : { path, lazy };
}

const signedIn: RouteObject[] = [
  page('/', 'OverviewPage', () => import('../overview/overview-page.tsx')),
  page('tasks', 'TasksPage', () => import('../tasks/tasks-page.tsx')),
  page('tasks/:id', 'TaskPage', () => import('../tasks/task-page.tsx')),
  page('explained', 'ExplainedPage', () => import('../explained/explained-page.tsx')),
  page('kept', 'KeptTasksPage', () => import('../kept-tasks/kept-tasks-page.tsx')),
  page('releases', 'ReleasesPage', () => import('../releases/releases-page.tsx')),
  page('releases/:name', 'ReleasePage', () => import('../releases/release-page.tsx')),
  page('replication', 'RulesPage', () => import('../replication/rules-page.tsx')),
  page('replication/:id', 'RulePage', () => import('../replication/rule-page.tsx')),
  page('history', 'HistoryPage', () => import('../history/history-page.tsx')),
  page('history/:id', 'ReplayPage', () => import('../replay/replay-page.tsx')),
  page('report', 'ReportPage', () => import('../history/report-page.tsx')),
  page('jobs', 'JobsPage', () => import('../jobs/jobs-page.tsx')),
  page('jobs/:id', 'JobPage', () => import('../jobs/job-page.tsx')),
  page('preheat', 'PreheatPage', () => import('../jobs/preheat-page.tsx')),
  page('clusters', 'ClustersPage', () => import('../clusters/clusters-page.tsx')),
  page('clusters/new', 'NewClusterPage', () => import('../clusters/new-cluster-page.tsx')),
  page('clusters/:id', 'ClusterPage', () => import('../clusters/cluster-page.tsx')),
  page('clusters/:id/edit', 'EditClusterPage', () => import('../clusters/edit-cluster-page.tsx')),
  page('nodes', 'NodesPage', () => import('../nodes/nodes-page.tsx')),
  page('nodes/add', 'AddNodePage', () => import('../nodes/add-node-page.tsx')),
  page('nodes/:id', 'NodePage', () => import('../nodes/node-page.tsx')),
  page('schedulers', 'SchedulersPage', () => import('../members/schedulers-page.tsx')),
  page('schedulers/:id', 'SchedulerPage', () => import('../members/scheduler-page.tsx')),
  page('seed-peers', 'SeedPeersPage', () => import('../members/seed-peers-page.tsx')),
  page('peers', 'PeersPage', () => import('../members/peers-page.tsx')),
  page('applications', 'ApplicationsPage', () => import('../applications/applications-page.tsx')),
  page('users', 'UsersPage', () => import('../users/users-page.tsx')),
  page('users/:id', 'UserPage', () => import('../users/user-page.tsx')),
  page('roles', 'RolesPage', () => import('../roles/roles-page.tsx')),
  page('roles/:role', 'RolePage', () => import('../roles/role-page.tsx')),
  page('tokens', 'TokensPage', () => import('../tokens/tokens-page.tsx')),
  page('oauth', 'OauthPage', () => import('../oauth/oauth-page.tsx')),
  page('certificates', 'CertificatesPage', () => import('../certificates/certificates-page.tsx')),
  page('configuration', 'ConfigurationPage', () => import('../configuration/configuration-page.tsx')),
  page('audit', 'AuditPage', () => import('../audit/audit-page.tsx')),
  page('gc', 'GcPage', () => import('../gc/gc-page.tsx')),
  page('profile', 'ProfilePage', () => import('../profile/profile-page.tsx')),
  { path: '*', Component: NotFoundPage },
];

export function createRouter() {
  const routes: RouteObject[] = [
    page('signin', 'SignInPage', () => import('../session/sign-in-page.tsx')),
    page('signup', 'SignUpPage', () => import('../session/sign-up-page.tsx')),
    { path: '/', Component: Shell, children: [{ ErrorBoundary: RouteError, children: signedIn }] },
  ].map((route) => ({ ...route, ErrorBoundary: RouteError, HydrateFallback: Loading }));
  return createBrowserRouter(routes, { basename: new URL(document.baseURI).pathname });
}
