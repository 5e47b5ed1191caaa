"""Full verification: a recogniser, a voice activity detector and a speaker encoder check a take."""
