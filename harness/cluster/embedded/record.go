package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"rehearse.dev/rehearse/harness/cluster/journal"
	"rehearse.dev/rehearse/harness/cluster/kept"
)

// dataProcess is followed by a component's name, in the data of a cluster's record.
const dataProcess = "process."

func isOurs(r journal.Record) bool {
	return r.Kind == journal.KindCluster && r.Data[journal.DataProvider] == providerName
}

// Undo removes an embedded cluster that a killed process left.
func Undo(ctx context.Context, r journal.Record) error {
	if !isOurs(r) {
		return fmt.Errorf("%s %s is not an embedded cluster", r.Kind, r.ID)
	}
	var errs []error
	for key, text := range r.Data {
		if !strings.HasPrefix(key, dataProcess) {
			continue
		}
		component, err := journal.ParseProcess(text, r.Owner)
		if err == nil {
			err = component.End(ctx)
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return journal.RemoveDir(r.Data[kept.DataDir])
}
