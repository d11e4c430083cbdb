package assert

import (
	"fmt"
	"math"

	"rehearse.dev/rehearse/harness/registry"
)

// validateBounds checks how often something may be seen: at least Min and at most Max times.
func validateBounds(least, most *int) []registry.Problem {
	switch lowest, highest := bounds(least, most); {
	case lowest < 0 || highest < 0:
		return []registry.Problem{{Message: "min and max must not be negative"}}
	case highest < lowest:
		return []registry.Problem{{Path: "max", Message: fmt.Sprintf("is below min, which is %d", lowest)}}
	}
	return nil
}

// bounds are how often something has to be seen: at least once if nothing is stated.
func bounds(least, most *int) (lowest, highest int) {
	lowest, highest = 1, math.MaxInt
	if least != nil || most != nil {
		lowest = 0
	}
	if least != nil {
		lowest = *least
	}
	if most != nil {
		highest = *most
	}
	return lowest, highest
}
