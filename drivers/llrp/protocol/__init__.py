"""The LLRP protocol: frames, elements, the tables of the standard and of vendors, and the codec that reads both."""
