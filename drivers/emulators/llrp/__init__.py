"""An LLRP reader that is not there: the state machine of a reader behind a real TCP port."""
