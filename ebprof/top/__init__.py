"""Where CPU time goes, as it goes: samples of the last seconds by function, module and process."""
