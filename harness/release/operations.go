package release

import (
	"context"
	"errors"
	"fmt"

	"helm.sh/helm/v4/pkg/action"
	"helm.sh/helm/v4/pkg/release/common"
	v1 "helm.sh/helm/v4/pkg/release/v1"
	"helm.sh/helm/v4/pkg/storage/driver"

	"rehearse.dev/rehearse/harness/api/v1alpha1"
)

// Install installs the release's chart.
func (s *SDK) Install(ctx context.Context, spec v1alpha1.Install) error {
	return s.run(ctx, "install", spec.FieldManager, func(ses *session) error {
		return s.install(ctx, ses, spec, false)
	})
}

// install runs Helm's install. replace permits the name of an uninstalled release whose history was kept.
func (s *SDK) install(ctx context.Context, ses *session, spec v1alpha1.Install, replace bool) error {
	loaded, err := s.charts.load(ctx, s.target.Release, spec.ChartSource)
	if err != nil {
		return err
	}
	if err := loaded.installable(); err != nil {
		return err
	}
	a := s.installAction(ctx, ses.cfg, spec)
	a.Replace = replace
	_, err = a.Run(loaded.chart, loaded.values)
	return err
}

func (s *SDK) installAction(ctx context.Context, cfg *action.Configuration, spec v1alpha1.Install) *action.Install {
	o := resolve(ctx, spec.Options)
	a := action.NewInstall(cfg)
	a.ReleaseName, a.Namespace = s.target.Name, s.target.Namespace
	a.ServerSideApply = o.serverSide != "false" // as helm upgrade --install reads auto
	a.ForceConflicts, a.ForceReplace = o.forceConflicts, o.forceReplace
	a.WaitStrategy, a.WaitForJobs, a.Timeout, a.WaitOptions = o.wait, o.waitForJobs, o.timeout, waitOptions()
	a.DisableHooks = o.disableHooks
	a.TakeOwnership = o.takeOwnership
	a.RollbackOnFailure = isTrue(spec.RollbackOnFailure)
	a.SkipCRDs = isTrue(spec.SkipCRDs)
	return a
}

// Upgrade upgrades the release. With spec.Install it installs one that is not there, as helm upgrade --install does.
func (s *SDK) Upgrade(ctx context.Context, spec v1alpha1.Upgrade) error {
	return s.run(ctx, "upgrade", spec.FieldManager, func(ses *session) error {
		if isTrue(spec.Install) {
			absent, replace, err := s.absent(ses.cfg)
			if err != nil {
				return err
			}
			if absent {
				install := v1alpha1.Install{
					ChartSource:       spec.ChartSource,
					Options:           spec.Options,
					RollbackOnFailure: spec.RollbackOnFailure,
				}
				return s.install(ctx, ses, install, replace)
			}
		}
		loaded, err := s.charts.load(ctx, s.target.Release, spec.ChartSource)
		if err != nil {
			return err
		}
		_, err = s.upgradeAction(ctx, ses.cfg, spec).Run(s.target.Name, loaded.chart, loaded.values)
		return err
	})
}

func (s *SDK) upgradeAction(ctx context.Context, cfg *action.Configuration, spec v1alpha1.Upgrade) *action.Upgrade {
	o := resolve(ctx, spec.Options)
	a := action.NewUpgrade(cfg)
	a.Namespace = s.target.Namespace
	a.Install = isTrue(spec.Install)
	a.ServerSideApply = o.serverSide
	a.ForceConflicts, a.ForceReplace = o.forceConflicts, o.forceReplace
	a.WaitStrategy, a.WaitForJobs, a.Timeout, a.WaitOptions = o.wait, o.waitForJobs, o.timeout, waitOptions()
	a.DisableHooks = o.disableHooks
	a.TakeOwnership = o.takeOwnership
	a.CleanupOnFail = o.cleanupOnFail
	a.MaxHistory = o.maxHistory
	a.RollbackOnFailure = isTrue(spec.RollbackOnFailure)
	a.ReuseValues = isTrue(spec.ReuseValues)
	a.ResetValues = isTrue(spec.ResetValues)
	return a
}

// absent reports whether there is no release to upgrade, and whether one that was uninstalled has left its history.
func (s *SDK) absent(cfg *action.Configuration) (absent, uninstalled bool, err error) {
	history := action.NewHistory(cfg)
	history.Max = 1
	revisions, err := history.Run(s.target.Name)
	if errors.Is(err, driver.ErrReleaseNotFound) {
		return true, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("looking for the release: %w", err)
	}
	if len(revisions) == 0 {
		return true, false, nil
	}
	last, ok := revisions[len(revisions)-1].(*v1.Release)
	if !ok {
		return false, false, fmt.Errorf("looking for the release: its record is a %T, not a release of v1", revisions[len(revisions)-1])
	}
	gone := last.Info.Status == common.StatusUninstalled
	return gone, gone, nil
}

// Rollback rolls the release back.
func (s *SDK) Rollback(ctx context.Context, spec v1alpha1.Rollback) error {
	return s.run(ctx, "rollback", spec.FieldManager, func(ses *session) error {
		return rollbackAction(ctx, ses.cfg, spec).Run(s.target.Name)
	})
}

func rollbackAction(ctx context.Context, cfg *action.Configuration, spec v1alpha1.Rollback) *action.Rollback {
	o := resolve(ctx, spec.Options)
	a := action.NewRollback(cfg)
	a.Version = spec.To
	a.ServerSideApply = o.serverSide
	a.ForceConflicts, a.ForceReplace = o.forceConflicts, o.forceReplace
	a.WaitStrategy, a.WaitForJobs, a.Timeout, a.WaitOptions = o.wait, o.waitForJobs, o.timeout, waitOptions()
	a.DisableHooks = o.disableHooks
	a.CleanupOnFail = o.cleanupOnFail
	a.MaxHistory = o.maxHistory
	return a
}

// Uninstall uninstalls the release.
func (s *SDK) Uninstall(ctx context.Context, spec v1alpha1.Uninstall) error {
	return s.run(ctx, "uninstall", "", func(ses *session) error {
		_, err := uninstallAction(ctx, ses.cfg, spec).Run(s.target.Name)
		return err
	})
}

func uninstallAction(ctx context.Context, cfg *action.Configuration, spec v1alpha1.Uninstall) *action.Uninstall {
	o := resolve(ctx, spec.Options)
	a := action.NewUninstall(cfg)
	a.WaitStrategy, a.Timeout, a.WaitOptions = o.wait, o.timeout, waitOptions()
	a.DisableHooks = o.disableHooks
	a.KeepHistory = isTrue(spec.KeepHistory)
	return a
}

// Test runs the release's test hooks.
func (s *SDK) Test(ctx context.Context, spec v1alpha1.Test) error {
	return s.run(ctx, "test", "", func(ses *session) error {
		_, shutdown, err := testAction(ctx, ses.cfg, s.target.Namespace, spec).Run(s.target.Name)
		// The delete policies of the hooks are done only now, whatever became of the tests.
		return errors.Join(err, shutdown())
	})
}

func testAction(ctx context.Context, cfg *action.Configuration, namespace string, spec v1alpha1.Test) *action.ReleaseTesting {
	o := resolve(ctx, v1alpha1.Options{Timeout: spec.Timeout})
	a := action.NewReleaseTesting(cfg)
	a.Namespace = namespace
	a.Timeout, a.WaitOptions = o.timeout, waitOptions()
	return a
}
