UPDATE versions SET desired_yanked = NOT desired_yanked;
